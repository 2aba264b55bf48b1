-- display: shows executions that last (ADR 0018): that they began, and to RQ's tools the hash and the places that stock RQ makes for each.
local worker, shown = ARGV[1], {}
local seconds = string.format('%.3f', NOW / 1000)

local NEEDED = {'mark', 'attempt', 'watchers', 'gate'}
local function display(id, execution)
  local job = read(id, NEEDED)
  if not job or job.state ~= 'started' or job.execution ~= execution then return end
  if not look_for_start(job) then return end
  try('HSET', RQ_EXECUTION .. member_of(job), 'id', execution, 'job_id', id, 'created_at', string.format('%.3f', claimed_at(job) / 1000),
    'last_heartbeat', seconds, 'worker_name', worker)
  try('ZADD', RQ_EXECUTIONS .. id, '+inf', execution)
  call('HSET', job.key, 'last_heartbeat', utc(NOW))
  shown[#shown + 1] = member_of(job)
end

for i = 2, #ARGV, 2 do display(ARGV[i], ARGV[i + 1]) end
spread(shown, 'SADD', RQ_WORKER .. worker .. ':executions')
return 'ok'
