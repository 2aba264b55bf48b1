-- listen: reads a job and, while it is open, notes the channel on which its end is to be told (rule 14).
local id, channel = ARGV[1], ARGV[2]
if not is(JOB .. id, 'hash') then return {try('SISMEMBER', OPEN, id) or 0, {}} end
local flat = call('HGETALL', JOB .. id)
if channel ~= '' and #flat > 0 then
  local seen = call('HMGET', JOB .. id, 'state', 'waiters')
  local waiters = seen[2] or ''
  if seen[1] and not FINAL[seen[1]] and not string.find(' ' .. waiters .. ' ', ' ' .. channel .. ' ', 1, true) then
    call('HSET', JOB .. id, 'waiters', waiters == '' and channel or waiters .. ' ' .. channel)
  end
end
return {try('SISMEMBER', OPEN, id) or 0, flat}
