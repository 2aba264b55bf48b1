-- recorded: sent after the database's commit. Drops the outcomes it holds; takes a job out of the open set if its hash is final
-- and still has the version that was read. Version 0 says: recorded as gone or corrupt.
local grace = tonumber(ARGV[1])
local answers, at = {}, 2
local unusable = broken(OPEN, 'set', EVENTS, 'stream', FORGET, 'zset')

-- The state that a job had whose hash is gone: its batch counts it.
local function last_seen(id)
  for _, key in ipairs(try('SMEMBERS', RQ_QUEUES) or {}) do
    if try('ZREM', SCHEDULED .. string.sub(key, #QUEUE + 1), id) == 1 then return 'scheduled' end
  end
  return 'queued'
end

local function close(id)
  try('ZREM', RESENT, id)
  return call('SREM', OPEN, id)
end

-- What is left of a job is in the record, which told whose it was; where it did not, a lone owner's.
local function close_lost(id, why, owner, queue, bytes)
  if close(id) == 1 then
    if is_line(id) then tell_batch(id, last_seen(id), why == 'gone' and 'canceled' or 'failed') end
    settle()
    if owner == '' and try('HLEN', OWNERS) == 1 then owner = call('HKEYS', OWNERS)[1] end
    tally(owner, queue, -1, -bytes)
  end
  return 1
end

local function close_ended(job)
  if close(job.id) == 1 then weigh(job, -1) end
  return 1
end

-- RQ's own producers say for how long they read a job (rq 3.0: a result for 500 s where unset, a failure for a year).
local function keep_until(job)
  local ttl = 0
  if job.state == 'failed' then
    try('ZADD', KEPT .. job.queue, int(ms_of(job.ended_at or '') or NOW), job.id)
    ttl = job.adopted and job.failure_ttl or -1
    if ttl < 0 then return end
  elseif job.adopted then
    ttl = job.result_ttl or 500
  end
  if ttl < 0 then ttl = 86400 end
  call('ZADD', FORGET, int(NOW + math.max(grace, ttl * 1000)), job.id)
end

local function recorded(id, version, fields, owner, queue, bytes)
  local job, why = read(id)
  if not job then
    if version == 0 or call('SISMEMBER', OPEN, id) == 0 then return close_lost(id, why, owner, queue, bytes) end
    emit(id, 0, why) -- deleted between the read and now: have that recorded too
    return 0
  end
  for i = 1, #fields, 1000 do call('HDEL', job.key, unpack(fields, i, math.min(i + 999, #fields))) end -- Lua unpacks 8,000 at most
  if not job.state then return version == 0 and close_lost(id, 'gone', owner, queue, bytes) or 0 end -- put anew by stock RQ under its id
  heed(job)
  if not FINAL[job.state] or job.version ~= version then return 0 end
  call('HSET', job.key, 'recorded', int(version))
  keep_until(job)
  return close_ended(job)
end

while at <= #ARGV do
  local id, version, owner, queue, bytes = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], ARGV[at + 3], tonumber(ARGV[at + 4])
  local size, fields = tonumber(ARGV[at + 5]), {}
  for i = 1, size do fields[i] = ARGV[at + 5 + i] end
  at = at + 6 + size
  answers[#answers + 1] = unusable and 0 or recorded(id, version, fields, owner, queue, bytes)
end
settle()
if not unusable and call('SCARD', OPEN) == 0 then call('DEL', OWNERS, BYTES) end -- whatever was miscounted ends here
return answers
