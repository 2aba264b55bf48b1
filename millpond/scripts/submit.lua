-- submit: idempotency, limits, hash, queue or schedule, open set, event, for many jobs at once. A key's digest lives in hourly hashes
-- that no other move touches, so a repeat finds its job by id also after it was recorded and forgotten.
local hours = tonumber(ARGV[1])
read_limits(2)
local hour = math.floor(NOW / 3600000)
local all, at = read_terms(7, tonumber(ARGV[6]))
local ids = {}
for i = at, #ARGV, 5 do ids[#ids + 1] = ARGV[i] end
local taken = taken_of(ids)

local function known(digest)
  for back = 0, hours do
    local bucket = IDEMPOTENCY .. int(hour - back)
    local entry = is(bucket, 'hash') and call('HGET', bucket, digest)
    if entry then return string.sub(entry, 1, 32), string.sub(entry, 33) end
  end
  return nil
end

local function remember(digest, id, body_digest)
  local bucket = IDEMPOTENCY .. int(hour)
  call('HSET', bucket, digest, id .. body_digest)
  call('EXPIRE', bucket, (hours + 2) * 3600)
end

-- 1: accepted and queued; 2: accepted and scheduled; else why not.
local function submit(id, data, terms, digest, body_digest)
  local earlier, earlier_body
  if digest ~= '' then earlier, earlier_body = known(digest) end
  if earlier then
    local state = is(JOB .. earlier, 'hash') and call('HGET', JOB .. earlier, 'state')
    return {earlier_body == body_digest and 'replayed' or 'mismatch', earlier, state or '', ''}
  end
  local bad = terms.bad or (taken[id] and JOB .. id) or (digest ~= '' and broken(IDEMPOTENCY .. int(hour), 'hash'))
  if bad then return {'error', id, '', bad} end
  local policy = refusal(terms, #data)
  if policy then return {'refused', id, '', policy} end
  if digest ~= '' then remember(digest, id, body_digest) end
  accept(terms, id, data)
  taken[id] = true -- an id twice in one call is refused like one sent again
  return terms.state == 'queued' and 1 or 2
end

local answers = {NOW, false}
for i = at, #ARGV, 5 do
  answers[#answers + 1] = submit(ARGV[i], ARGV[i + 1], all[tonumber(ARGV[i + 2])], ARGV[i + 3], ARGV[i + 4])
end
admit(all)
answers[2] = quotas_left(all)
return answers
