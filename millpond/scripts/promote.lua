-- promote: moves what is due from the schedules to its queue; what was canceled or ran out meanwhile ends instead.
local limit, moved = tonumber(ARGV[1]), 0
if broken_record() or broken(RQ_QUEUES, 'set') then return 0 end

local function promote(id, queue)
  local job, why = read(id)
  if not job then
    if why == 'corrupt' then quarantine(id, queue) end
    tell_batch(id, 'scheduled', 'queued') -- lost, and so not scheduled any more
    return call('ZREM', SCHEDULED .. queue, id)
  end
  if not job.state and (job.status ~= 'scheduled' or not adopt(job)) then return call('ZREM', SCHEDULED .. queue, id) end
  heed(job)
  if job.state ~= 'scheduled' or job.queue ~= queue then return call('ZREM', SCHEDULED .. queue, id) end
  if broken_home(job) then return end -- stays due; tried again at the next tick
  call('ZREM', SCHEDULED .. queue, id)
  local state, code = doom(job)
  if state then conclude(job, state, code) else push(job, home(job), false) end
  moved = moved + 1
end

for _, key in ipairs(call('SMEMBERS', RQ_QUEUES)) do
  local queue = string.sub(key, #QUEUE + 1)
  if moved < limit and is(SCHEDULED .. queue, 'zset') then
    for _, id in ipairs(call('ZRANGEBYSCORE', SCHEDULED .. queue, '-inf', NOW / 1000, 'LIMIT', 0, limit - moved)) do
      promote(id, queue)
    end
  end
end
open_gates() -- claims do so at once; this is the net under them
return moved
