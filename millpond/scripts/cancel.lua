-- cancel: ends at once what waits, leaves a wish for what runs.
local id, version = ARGV[1], tonumber(ARGV[2])
if broken_record() then return {'error', '', 0} end
local job, why = read(id)
if not job then return {why == 'gone' and 'gone' or 'error', '', 0} end
if not job.state and not adopt(job) then return {'conflict', job.status, 0} end
heed(job)
if version > 0 and version ~= job.version then return {'version', job.state, job.version} end
local answer = cancel(job)
return {answer, job.state, job.version}
