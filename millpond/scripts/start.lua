-- start: marks executions as begun; attempt + 1. What was begun is told from what was only claimed by this mark alone.
local lease = ARGV[1] .. ':' .. ARGV[2]
local answers = {}

-- What is needed to begin; what one of RQ's tools moved, and what begins again, is read whole.
local NEEDED = {'mark', 'attempt', 'watchers', 'gate'}

local function begin(id, execution)
  local job = read(id, NEEDED)
  if not job or job.state ~= 'started' or job.execution ~= execution then return 'no' end
  if job.mark == '1' then return 'go' end -- said before; the answer was lost
  if job.attempt >= 1 or job.status ~= 'started' then
    job = read(id)
    if not job then return 'no' end
    heed(job)
  end
  if job.rerun == 'never' and job.attempt >= 1 then
    if broken_record() then return 'no' end
    release(id, execution, lease, job.queue)
    if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
    conclude(job, 'failed', 'interrupted')
    return 'no'
  end
  call('HSET', job.key, 'mark', '1', 'attempt', int(job.attempt + 1), 'version', int(job.version + 1), 'started_ms', int(NOW),
    'started_at', utc(NOW))
  if job.gate then gates().begun(job.gate, member_of(job), NOW) end
  tell(job, job.watchers)
  return 'go'
end

for i = 3, #ARGV, 2 do answers[#answers + 1] = begin(ARGV[i], ARGV[i + 1]) end
return answers
