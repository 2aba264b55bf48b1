-- submit: idempotency, hash, queue or schedule, open set, event, for many jobs at once. A key's digest lives in hourly hashes
-- that no other move touches, so a repeat finds its job by id also after it was recorded and forgotten.
local hours, count, at = tonumber(ARGV[1]), tonumber(ARGV[2]), 3
local hour = math.floor(NOW / 3600000)
local answers, pushed = {}, {}

local function known(digest)
  for back = 0, hours do
    local bucket = IDEMPOTENCY .. int(hour - back)
    local entry = is(bucket, 'hash') and call('HGET', bucket, digest)
    if entry then return string.sub(entry, 1, 32), string.sub(entry, 33) end
  end
  return nil
end

local function replay(id, same)
  local seen = {false, false}
  if is(JOB .. id, 'hash') then seen = call('HMGET', JOB .. id, 'state', 'created_ms') end
  return {same and 'replayed' or 'mismatch', id, seen[1] or '', seen[2] or '0', ''}
end

local function accept(id, queue, data, fields, due, expires_in, front, digest, body_digest)
  local bucket = IDEMPOTENCY .. int(hour)
  local state = due > NOW and 'scheduled' or 'queued'
  local bad = broken_record() or broken(JOB .. id, 'none', QUEUE .. queue, 'list', SCHEDULED .. queue, 'zset', bucket, 'hash')
  if bad then return {'error', id, '', '0', bad} end
  local hash = {'state', state, 'status', state, 'version', '1', 'run', '1', 'origin', queue, 'data', data,
    'created_ms', int(NOW), 'created_at', utc(NOW)}
  local function add(name, value) hash[#hash + 1] = name; hash[#hash + 1] = value end
  for i = 1, #fields do hash[#hash + 1] = fields[i] end
  if expires_in > 0 then add('expires_ms', int(NOW + expires_in)) end
  if state == 'scheduled' then
    add('run_at_ms', int(due))
  else
    add('place', 'queue'); add('enqueued_ms', int(NOW)); add('enqueued_at', utc(NOW))
  end
  if digest ~= '' then
    call('HSET', bucket, digest, id .. body_digest)
    call('EXPIRE', bucket, (hours + 2) * 3600)
  end
  call('HSET', JOB .. id, unpack(hash))
  types[JOB .. id] = 'hash' -- an id twice in one call is refused like one sent again
  call('SADD', OPEN, id)
  emit(id, 1, 'accepted')
  if state == 'scheduled' then
    call('ZADD', SCHEDULED .. queue, due / 1000, id)
  else
    call(front and 'LPUSH' or 'RPUSH', QUEUE .. queue, id)
    pushed[queue] = (pushed[queue] or 0) + 1
  end
  try('SADD', RQ_QUEUES, QUEUE .. queue)
  return {'accepted', id, state, int(NOW), ''}
end

for i = 1, count do
  local id, queue, data = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local run_at, delay, expires_in = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local front, digest, body_digest, size = ARGV[at + 6] == '1', ARGV[at + 7], ARGV[at + 8], tonumber(ARGV[at + 9])
  local fields = {}
  for j = 1, size do fields[j] = ARGV[at + 9 + j] end
  at = at + 10 + size
  local earlier, earlier_body
  if digest ~= '' then earlier, earlier_body = known(digest) end
  if earlier then
    answers[i] = replay(earlier, earlier_body == body_digest)
  else
    answers[i] = accept(id, queue, data, fields, delay > 0 and NOW + delay or run_at, expires_in, front, digest, body_digest)
  end
end
for queue, jobs in pairs(pushed) do wake(queue, jobs) end
return answers
