-- survey: a batch's counter and counts, and how many of its jobs are started: all at one moment.
local id = ARGV[1]
if not is(BATCH .. id, 'hash') then return {{}, 0} end
local flat, started = call('HGETALL', BATCH .. id), 0
if is(RQ_QUEUES, 'set') then
  -- Executions all have the score +inf, so that Redis sorts them by their text, which begins with the batch.
  for _, key in ipairs(call('SMEMBERS', RQ_QUEUES)) do
    started = started + (try('ZLEXCOUNT', WIP .. string.sub(key, #QUEUE + 1), '[' .. id, '(' .. id .. 'g') or 0)
  end
end
return {flat, started}
