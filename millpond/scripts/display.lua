-- display: shows RQ's tools executions that last (ADR 0018): the hash and the place of each that stock RQ makes for all of them.
local worker = ARGV[1]
local seconds = string.format('%.3f', NOW / 1000)

local NOTHING_MORE = {}
local function display(id, execution)
  local job = read(id, NOTHING_MORE)
  if not job or job.state ~= 'started' or job.execution ~= execution then return end
  try('HSET', RQ_EXECUTION .. member_of(job), 'id', execution, 'job_id', id, 'created_at', string.format('%.3f', claimed_at(job) / 1000),
    'last_heartbeat', seconds, 'worker_name', worker)
  try('ZADD', RQ_EXECUTIONS .. id, '+inf', execution)
  call('HSET', job.key, 'last_heartbeat', utc(NOW))
end

for i = 2, #ARGV, 2 do display(ARGV[i], ARGV[i + 1]) end
return 'ok'
