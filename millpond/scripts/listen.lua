-- listen: reads jobs and, of those that are open, notes the channel on which their end (`waiters`) or each of their moves
-- (`watchers`) is to be told (rule 14). One answer per item.
local channel = ARGV[1]
local answers = {}

local function note_channel(key, field)
  local seen = call('HMGET', key, 'state', field)
  local noted = seen[2] or ''
  if not seen[1] or FINAL[seen[1]] or string.find(' ' .. noted .. ' ', ' ' .. channel .. ' ', 1, true) then return end
  call('HSET', key, field, noted == '' and channel or noted .. ' ' .. channel)
end

local function listen(id, field)
  local open = try('SISMEMBER', OPEN, id) or 0
  if not is(JOB .. id, 'hash') then return {open, {}} end
  local flat = call('HGETALL', JOB .. id)
  if field ~= '' then note_channel(JOB .. id, field) end
  return {open, flat}
end

for i = 2, #ARGV, 2 do answers[#answers + 1] = listen(ARGV[i], ARGV[i + 1]) end
return answers
