-- append: accepts the next lines of a batch if its counter still stands where the caller believes (compare and set). So an append
-- may be sent again whenever its fate is unknown, and of two uploads of the same lines one alone is accepted.
local id, from, to, digest, complete = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
local rejected, spans, problems = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local SHOWN = 100 -- problems that are kept; beyond them lines are only counted
local all, at = read_terms(10 + 2 * problems, tonumber(ARGV[9 + 2 * problems]))

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
  return next(taken_of(ids))
end

local function note_problems()
  local room = SHOWN - (tonumber(call('HGET', BATCH .. id, 'rejected') or '') or 0)
  for i = 1, math.min(problems, room) do
    call('HSET', BATCH .. id, 'problem:' .. ARGV[7 + 2 * i], ARGV[8 + 2 * i])
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
local id_taken = not why and taken()
if id_taken then why, detail = 'error', JOB .. id_taken end
if not why then
  note_problems()
  accept_lines()
  try('HINCRBY', BATCH .. id, 'rejected', rejected)
  call('HSET', BATCH .. id, 'lines', int(to), 'digest', digest)
  if complete then call('HSET', BATCH .. id, 'complete', '1') end
  rest(id)
  why = 'ok'
end
return {why, detail or '', why ~= 'error' and why ~= 'gone' and counter(id) or {}}
