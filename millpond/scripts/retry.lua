-- retry: a new run of a job that ended other than finished; a forgotten one is made anew from its record.
local id, version = ARGV[1], tonumber(ARGV[2])
if broken_record() then return {'error', '', 0} end
local job, why = read(id)
if why == 'corrupt' then return {'error', '', 0} end

local function revive()
  local recorded_version, run, queue, data = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], ARGV[6]
  if version > 0 and version ~= recorded_version then return {'version', '', recorded_version} end
  if broken(QUEUE .. queue, 'list') then return {'error', '', recorded_version} end
  local fields = {'origin', queue, 'data', data, 'status', 'queued', 'created_ms', int(NOW), 'created_at', utc(NOW),
    'run', int(next_run(id, run))}
  for i = 8, #ARGV do fields[#fields + 1] = ARGV[i] end
  call('HSET', JOB .. id, unpack(fields))
  local revived = {id = id, key = JOB .. id, queue = queue, version = recorded_version, deaths = 0, state = ARGV[7]}
  open(revived)
  push(revived, 'queue', false)
  emit(id, revived.version, 'requeued')
  return {'ok', 'queued', revived.version}
end

if not job then return ARGV[3] and revive() or {'gone', '', 0} end
if not job.state then return {'conflict', job.status, 0} end
heed(job)
if version > 0 and version ~= job.version then return {'version', job.state, job.version} end
if not FINAL[job.state] or job.state == 'finished' then return {'conflict', job.state, job.version} end
if broken_home(job) then return {'error', job.state, job.version} end
begin_run(job)
push(job, 'queue', false)
emit(id, job.version, 'requeued')
return {'ok', job.state, job.version}
