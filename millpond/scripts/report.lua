-- report: what running jobs say: how far they are, and lines for their logs; fenced, as all that an execution says. Each piece of a log
-- is a field of its own, so that a piece costs what it holds, and may be said again.
local answers = {}
for i = 1, #ARGV, 5 do
  local id, execution, progress, piece, rows = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local job = read(id)
  local ours = job and job.state == 'started' and job.execution == execution
  if ours then
    look_for_start(job) -- what it says is of the attempt that runs
    if progress ~= '' then call('HSET', job.key, 'progress', progress) end
    if piece ~= '' then call('HSET', job.key, piece, rows) end
    call('HSET', job.key, 'version', int(job.version + 1))
    tell(job, job.watchers)
  end
  answers[#answers + 1] = ours and 1 or 0
end
return answers
