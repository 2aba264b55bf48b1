-- set_free: queues what RQ's producers put to wait for other jobs (rq 3.0: `depends_on`), once it waits for none. A worker has RQ do so
-- when it ends a job of such a producer; this does it where any other job was waited for, where no worker ended it, and where that
-- worker died first. A slice a call, by rank: what moves up meanwhile is met in the next pass.
local at, limit, freed = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
if broken(RQ_QUEUES, 'set') then return {0, 0} end

-- What RQ takes as met (rq 3.0: job.py `dependencies_are_met`): finished, failed where that is allowed, and gone; but not if all are gone,
-- because nothing tells then how any of them ended.
local function waits(id, fails)
  local seen = false
  for _, other in ipairs(try('SMEMBERS', WAITS_FOR .. id .. ':dependencies') or {}) do
    local status = try('HGET', JOB .. other, 'status')
    if status and status ~= 'finished' and not (fails and status == 'failed') then return true end
    seen = seen or status
  end
  return not seen
end

local function set_free(id)
  if not is(JOB .. id, 'hash') then return end
  local status, queue, fails, front = unpack(call('HMGET', JOB .. id, 'status', 'origin', 'allow_dependency_failures', 'enqueue_at_front'))
  if status ~= 'deferred' or not queue or broken(QUEUE .. queue, 'list') or waits(id, fails == '1') then return end
  call('HSET', JOB .. id, 'status', 'queued', 'enqueued_at', utc(NOW))
  call(front == '1' and 'LPUSH' or 'RPUSH', QUEUE .. queue, id)
  try('ZREM', DEFERRED .. queue, id)
  for _, other in ipairs(try('SMEMBERS', WAITS_FOR .. id .. ':dependencies') or {}) do try('SREM', JOB .. other .. ':dependents', id) end
  try('SADD', RQ_QUEUES, QUEUE .. queue)
  wake(queue, 1)
  freed = freed + 1
end

local skip, seen = at, 0
for _, key in ipairs(call('SMEMBERS', RQ_QUEUES)) do
  local deferred = DEFERRED .. string.sub(key, #QUEUE + 1)
  local size = try('ZCARD', deferred) or 0
  if skip < size and seen < limit then
    local ids = call('ZRANGE', deferred, skip, skip + limit - seen - 1)
    for _, id in ipairs(ids) do set_free(id) end
    seen = seen + #ids
  end
  skip = math.max(0, skip - size)
end
return {seen == limit and at + limit - freed or 0, freed}
