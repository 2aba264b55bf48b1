-- tick: counts, for each worker, the ticks in a row since its beats last moved; names those that reached 8 (rule 5).
if not is(WORKERS, 'hash') then
  try('DEL', MISSED)
  return {}
end
if broken(BEATS, 'hash', MISSED, 'hash', TICK, 'string') then
  call('DEL', BEATS, MISSED, TICK) -- counts that belong together are begun anew together
  return {}
end
local last = tonumber(call('GET', TICK) or '')
local since = last and NOW - last
if since and since >= 0 and since < 400 then return {} end
call('SET', TICK, int(NOW))
-- After a stall, a restart or a step of the clock nobody's silence means anything: count anew.
local unbroken = since and since >= 0 and since <= 1500

local dead = {}
for _, worker in ipairs(call('HKEYS', WORKERS)) do
  local beats = call('HGET', BEATS, worker) or '0'
  local seen, ticks = string.match(call('HGET', MISSED, worker) or '', '^(%d+):(%d+)$')
  local missed = 0
  if unbroken then missed = seen == beats and tonumber(ticks) + 1 or 1 end -- counted from its last beat on
  call('HSET', MISSED, worker, beats .. ':' .. missed)
  if missed >= 8 then dead[#dead + 1] = worker end
  if (try('PTTL', ALIVE .. worker) or 0) > 3500 then call('PEXPIRE', ALIVE .. worker, 3500) end
end
return dead
