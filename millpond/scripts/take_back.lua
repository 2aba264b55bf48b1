-- take_back: takes the leases of a dead worker, after looking itself whether it is dead; unregisters it with the last one.
local worker, limit = ARGV[1], tonumber(ARGV[2])
if broken_record() or broken(WORKERS, 'hash', BEATS, 'hash', MISSED, 'hash', TICK, 'string', GENERATIONS .. worker, 'hash') then return -1 end
if call('HEXISTS', WORKERS, worker) == 0 then return 0 end

local since = NOW - (tonumber(call('GET', TICK) or '') or 0)
local seen, ticks = string.match(call('HGET', MISSED, worker) or '', '^(%d+):(%d+)$')
local dead = seen == (call('HGET', BEATS, worker) or '0') and tonumber(ticks) >= 8 and since >= 0 and since <= 1500
if not dead then return -1 end

local generations = call('HKEYS', GENERATIONS .. worker)
for _, generation in ipairs(generations) do
  if call('HGET', GENERATIONS .. worker, generation) == 'live' then call('HSET', GENERATIONS .. worker, generation, 'retired') end
end
local left = 0
for _, generation in ipairs(generations) do
  local lease = worker .. ':' .. generation
  leave_idle(lease, queues_of(worker))
  local held = try('HLEN', LEASES .. lease) or 0
  left = left + give_back_lease(lease, limit, 'lost', false)
  limit = math.max(0, limit - held)
end
if left == 0 then unregister(worker) end
return left
