-- report: shows how far running jobs say they are; fenced, as all that an execution says.
local answers = {}
for i = 1, #ARGV, 3 do
  local id, execution, progress = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job = read(id)
  local ours = job and job.state == 'started' and job.execution == execution
  if ours then
    call('HSET', job.key, 'progress', progress, 'version', int(job.version + 1))
    tell(job, job.watchers)
  end
  answers[#answers + 1] = ours and 1 or 0
end
return answers
