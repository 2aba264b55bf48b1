-- submit: idempotency, limits, hash, queue or schedule, open set, event, for many jobs at once.
local hours = tonumber(ARGV[1])
local slots = slots_in(hours)
read_limits(2)
local all, at = read_terms(7, tonumber(ARGV[6]))
local ids = {}
for i = at, #ARGV, 5 do ids[#ids + 1] = ARGV[i] end
local taken = taken_of(ids)

-- 1: accepted and queued; 2: accepted and scheduled; else why not. `entry`: what the digest will stand for.
local function submit(id, data, terms, digest, entry)
  local earlier, home, broken_home
  if digest ~= '' then earlier, home, broken_home = recall(digest, slots) end
  if earlier then
    local known = id_in(earlier)
    local state = is(JOB .. known, 'hash') and call('HGET', JOB .. known, 'state')
    return {body_in(earlier) == body_in(entry) and 'replayed' or 'mismatch', known, state or '', ''}
  end
  local bad = terms.bad or (taken[id] and JOB .. id) or broken_home
  if bad then return {'error', id, '', bad} end
  local policy = refusal(terms, #data)
  if policy then return {'refused', id, '', policy} end
  if home then remember(home, digest, entry, hours) end
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
