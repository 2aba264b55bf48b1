-- A batch: the counter of its upload's lines, moved by append alone, and counts of what became of its jobs, kept by the moves.

local function is_batch(id) return is(BATCH .. id, 'hash') and call('HEXISTS', BATCH .. id, 'lines') == 1 end

local function counter(id)
  local seen = call('HMGET', BATCH .. id, 'lines', 'accepted', 'rejected', 'digest', 'complete', 'called_off')
  return {seen[1], seen[2] or '0', seen[3] or '0', seen[4] or '', seen[5] or '0', seen[6] or '0'}
end

-- Lets a batch end with the time for which it is kept, from when nothing of it is open.
local function let_rest(id)
  local seen = try('HMGET', BATCH .. id, 'open', 'scheduled', 'keep_s')
  local keep_s = seen and tonumber(seen[3] or '') or 0
  if keep_s > 0 and (tonumber(seen[1] or '') or 0) <= 0 and (tonumber(seen[2] or '') or 0) <= 0 then
    try('EXPIRE', BATCH .. id, int(keep_s))
  else
    try('PERSIST', BATCH .. id)
  end
end

-- Counts a job's move from one state to another for its batch, which the id names: append made it, a UUIDv8 that ends in the
-- line's number. How many of the open are started, survey tells.
local COUNTED = {queued = 'open', started = 'open'}
local function is_line(job_id) return #job_id == 32 and string.byte(job_id, 13) == 56 end
local function tell_batch(job_id, from, to)
  if not is_line(job_id) then return end
  from, to = COUNTED[from] or from, COUNTED[to] or to
  local id = string.sub(job_id, 1, 24)
  if from == to or try('HEXISTS', BATCH .. id, 'lines') ~= 1 then return end
  local left = try('HINCRBY', BATCH .. id, from, -1)
  try('HINCRBY', BATCH .. id, to, 1)
  if left == 0 or (from ~= 'open' and from ~= 'scheduled') then let_rest(id) end
end
