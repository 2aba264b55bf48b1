-- hand_back: gives leases back to the head of their queue. It names the generation that it retires, so sending it again changes nothing.
local worker, generation, mode, cause = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease = worker .. ':' .. generation
local PAGE = 500
if broken_record() or broken(WORKERS, 'hash', GENERATIONS .. worker, 'hash') then return 1 end -- not done: call again

local function hand_back_item(id, execution, cause, how)
  local job = read(id)
  if not job or job.state ~= 'started' or job.execution ~= execution then return drop(id .. ':' .. execution, lease) end
  if broken_home(job) then return end
  heed(job)
  give_back(job, cause, how)
end

leave_idle(lease, queues_of(worker))
if mode == 'items' then
  for i = 5, #ARGV, 2 do hand_back_item(ARGV[i], ARGV[i + 1], 'released') end
  settle()
  return try('HLEN', LEASES .. lease) or 0
end
if mode == 'bury' then -- the runners of a living child died; alone, that is the job's own crash
  for i = 5, #ARGV, 4 do hand_back_item(ARGV[i], ARGV[i + 1], ARGV[i + 2] == '1' and 'alone' or 'died', ARGV[i + 3]) end
  settle()
  return try('HLEN', LEASES .. lease) or 0
end

-- Only of a child that is dead may a lease be given back that its generation has lost (reconcile).
local word = mode == 'unmarked' and call('HGET', GENERATIONS .. worker, generation) ~= 'ended' and 'retired' or 'ended'
if call('HEXISTS', WORKERS, worker) == 1 then call('HSET', GENERATIONS .. worker, generation, word) end
local left = give_back_lease(lease, PAGE, cause, mode == 'unmarked')
if mode == 'leave' and left == 0 then
  for _, other in ipairs(call('HKEYS', GENERATIONS .. worker)) do
    call('HSET', GENERATIONS .. worker, other, 'ended')
    left = left + give_back_lease(worker .. ':' .. other, PAGE, cause, false)
  end
  if left == 0 then unregister(worker) end
end
return left
