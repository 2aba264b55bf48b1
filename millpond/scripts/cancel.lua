-- cancel: ends at once what waits, leaves a wish for what runs.
local id, version = ARGV[1], tonumber(ARGV[2])
local SEARCHABLE = 10000 -- a longer list is not searched: the id stays until it is popped and dropped
if broken_record() then return {'error', '', 0} end
local job, why = read(id)
if not job then return {why == 'gone' and 'gone' or 'error', '', 0} end
if not job.state and not adopt(job) then return {'conflict', job.status, 0} end
heed(job)
if version > 0 and version ~= job.version then return {'version', job.state, job.version} end

local answer = 'ok'
if job.state == 'queued' then
  local list = list_of(job.place or 'queue', job.queue)
  if is(list, 'list') and call('LLEN', list) < SEARCHABLE then call('LREM', list, 0, id) end
  conclude(job, 'canceled', 'canceled')
elseif job.state == 'scheduled' then
  try('ZREM', SCHEDULED .. job.queue, id)
  conclude(job, 'canceled', 'canceled')
elseif job.state == 'started' then
  answer = 'wish'
  if not job.wish then
    job.version = job.version + 1
    call('HSET', job.key, 'wish', 'cancel', 'version', int(job.version))
  end
else
  answer = 'conflict'
end
return {answer, job.state, job.version}
