-- forget: deletes the hashes of recorded jobs whose grace is over; failed ones stay for a retry, the newest of each queue.
local limit, failed_keep = tonumber(ARGV[1]), tonumber(ARGV[2])
local forgotten = 0
if broken(OPEN, 'set', EVENTS, 'stream', FORGET, 'zset', RQ_QUEUES, 'set') then return 0 end

local function forget(id)
  local job = read(id)
  if not job or not job.state then return end
  heed(job)
  if not FINAL[job.state] or call('SISMEMBER', OPEN, id) == 1 or job.recorded ~= job.version then return end
  call('DEL', job.key)
  try('DEL', RQ_RESULTS .. id, RQ_EXECUTIONS .. id, job.key .. ':dependents', WAITS_FOR .. id .. ':dependencies')
  try('ZREM', REGISTRY[job.state] .. job.queue, id)
  try('ZREM', KEPT .. job.queue, id)
  forgotten = forgotten + 1
end

for _, id in ipairs(call('ZRANGEBYSCORE', FORGET, '-inf', int(NOW), 'LIMIT', 0, limit)) do
  forget(id)
  call('ZREM', FORGET, id)
end
for _, key in ipairs(call('SMEMBERS', RQ_QUEUES)) do
  local kept = KEPT .. string.sub(key, #QUEUE + 1)
  local excess = (try('ZCARD', kept) or 0) - failed_keep
  if excess > 0 then
    for _, id in ipairs(call('ZRANGE', kept, 0, math.min(excess, limit) - 1)) do
      forget(id)
      call('ZREM', kept, id)
    end
  end
end
return forgotten
