-- append: accepts the next lines of a batch if its counter still stands where the caller believes (compare and set). So an append
-- may be sent again whenever its fate is unknown, and of two uploads of the same lines one alone is accepted.
local id, from, to, digest, complete = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
read_limits(6)
local rejected, spans, problems = tonumber(ARGV[10]), ARGV[11], tonumber(ARGV[12])
local SHOWN = 100 -- problems that are kept; beyond them lines are only counted
local all, at = read_terms(14 + 2 * problems, tonumber(ARGV[13 + 2 * problems]))

local function why_not()
  if not is(BATCH .. id, 'hash') then return 'error', BATCH .. id end
  if not is_batch(id) then return 'gone' end
  local seen = call('HMGET', BATCH .. id, 'lines', 'called_off', 'complete')
  if seen[2] then return 'canceled' end
  if tonumber(seen[1]) ~= from or (seen[3] and (to > from or not complete)) then return 'moved' end
  for _, terms in ipairs(all) do
    if terms.bad then return 'error', terms.bad end
  end
  return nil
end

local function taken()
  local ids = {}
  for i = at, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
  local id = next(taken_of(ids))
  return id and JOB .. id
end

-- The first limit that these lines would pass, and the job that would.
local function passed()
  for i = at, #ARGV, 3 do
    local policy = refusal(all[tonumber(ARGV[i + 2])], #ARGV[i + 1])
    if policy then return policy, ARGV[i], all[tonumber(ARGV[i + 2])] end
  end
end

local function note_problems()
  local room = SHOWN - (tonumber(call('HGET', BATCH .. id, 'rejected') or '') or 0)
  for i = 1, math.min(problems, room) do
    call('HSET', BATCH .. id, 'problem:' .. ARGV[11 + 2 * i], ARGV[12 + 2 * i])
  end
end

local function accept_lines()
  for i = at, #ARGV, 3 do write(all[tonumber(ARGV[i + 2])], ARGV[i], ARGV[i + 1]) end
  admit(all)
  -- One event for all of them, a pointer to lines: one for each would be as much again to write as the jobs are.
  if at < #ARGV then call('XADD', EVENTS, '*', 'j', id, 'v', '1', 'k', 'accepted', 'l', spans) end
  local accepted = 0
  for _, terms in ipairs(all) do
    accepted = accepted + #terms.ids
    try('HINCRBY', BATCH .. id, COUNTED[terms.state] or terms.state, #terms.ids)
  end
  try('HINCRBY', BATCH .. id, 'accepted', accepted)
end

local why, detail = why_not()
if not why then
  detail = taken()
  if detail then why = 'error' end
end
if not why then
  local policy, id_refused, terms = passed()
  if policy then return {'refused', policy, counter(id), id_refused, terms.owner, terms.queue} end
  note_problems()
  accept_lines()
  try('HINCRBY', BATCH .. id, 'rejected', rejected)
  call('HSET', BATCH .. id, 'lines', int(to), 'digest', digest)
  if complete then call('HSET', BATCH .. id, 'complete', '1') end
  let_rest(id)
  why = 'ok'
end
return {why, detail or '', why ~= 'error' and why ~= 'gone' and counter(id) or {}}
