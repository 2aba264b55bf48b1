-- register: lists the worker, makes one generation live, counts as a beat, and shows the worker to RQ's tools.
local worker, generation, queues = ARGV[1], ARGV[2], ARGV[3]
local bad = broken(WORKERS, 'hash', GENERATIONS .. worker, 'hash')
if bad then return 'error:' .. bad end
local known = call('HGET', GENERATIONS .. worker, generation)
if known and known ~= 'live' then return 'retired' end
if not known then
  -- Generations only grow: a late message must not make live again what a take-back has struck off.
  for _, other in ipairs(call('HKEYS', GENERATIONS .. worker)) do
    if (tonumber(other) or 0) > tonumber(generation) then return 'retired' end
  end
end
call('HSET', WORKERS, worker, queues)
call('HSET', GENERATIONS .. worker, generation, 'live')
try('HINCRBY', BEATS, worker, 1)
call('SET', ALIVE .. worker, generation, 'PX', 3500)

-- A long-lived worker replaces many children: drop generations so old that no message of theirs can be on its way.
for _, old in ipairs(call('HKEYS', GENERATIONS .. worker)) do
  local stale = (tonumber(old) or 0) < (tonumber(generation) or 0) - 20
  if stale and try('EXISTS', LEASES .. worker .. ':' .. old) == 0 then call('HDEL', GENERATIONS .. worker, old) end
end

local display = {}
for i = 4, #ARGV do display[#display + 1] = ARGV[i] end
if #display > 0 then
  try('HSET', RQ_WORKER .. worker, unpack(display))
  local works = try('EXISTS', LEASES .. worker .. ':' .. generation, RQ_WORKER .. worker .. ':executions') ~= 0
  try('HSETNX', RQ_WORKER .. worker, 'state', works and 'busy' or 'idle')
  try('EXPIRE', RQ_WORKER .. worker, 15)
end
try('SADD', RQ_WORKERS, RQ_WORKER .. worker)
for _, name in ipairs(queues_of(worker)) do
  try('SADD', RQ_WORKERS_OF .. name, RQ_WORKER .. worker)
  try('SADD', RQ_QUEUES, QUEUE .. name)
end
return 'ok'
