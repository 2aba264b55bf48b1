-- finish: ends executions: fenced, outcome and state, lease off, event, waiters woken. One answer per item.
local worker, generation = ARGV[1], ARGV[2]
local lease = worker .. ':' .. generation
local answers = {}

-- RQ's own result, for jobs that stock RQ put (rq 3.0: results.py).
local RESULT_TYPE = {finished = '1', failed = '2', stopped = '3', canceled = '3', expired = '3'}
local function show_result(job, outcome)
  local key = RQ_RESULTS .. job.id
  local payload = outcome.status == 'finished' and 'return_value' or 'exc_string'
  local fields = {'type', RESULT_TYPE[outcome.status], 'worker_name', worker, 'execution_id', outcome.execution}
  if outcome.rq_result ~= '' then
    fields[#fields + 1] = payload
    fields[#fields + 1] = outcome.rq_result
  end
  try('XADD', key, 'MAXLEN', '~', '10', '*', unpack(fields))
end

local function credit(outcome)
  local key = RQ_WORKER .. worker
  if try('HEXISTS', key, 'birth') ~= 1 then return end -- never make anew what no one would let expire
  try('HINCRBY', key, outcome.status == 'finished' and 'successful_job_count' or 'failed_job_count', 1)
  try('HINCRBYFLOAT', key, 'total_working_time', string.format('%.3f', outcome.run_ms / 1000))
end

-- An adopted job's retries were counted by who read RQ's fields: a delay says that one is left.
local function again(job, outcome)
  local left = job.adopted or job.failures < (job.max_attempts or 1)
  return left and outcome.status == 'failed' and outcome.retry_ms >= 0 and job.rerun ~= 'never'
end

local function schedule(job, delay)
  local due = NOW + delay
  tell_batch(job.id, job.state, 'scheduled')
  job.version = job.version + 1
  call('HSET', job.key, 'state', 'scheduled', 'status', 'scheduled', 'version', int(job.version), 'run_at_ms', int(due))
  call('HDEL', job.key, 'execution', 'lease', 'mark', 'place')
  call('ZADD', SCHEDULED .. job.queue, due / 1000, job.id)
  emit(job.id, job.version, 'scheduled')
  tell(job, job.watchers)
end

local function settle(job, outcome)
  local last
  if outcome.ran then
    if job.mark ~= '1' then -- its start was lost with a connection; it did run
      job.attempt, job.started_ms = job.attempt + 1, NOW - outcome.run_ms
      call('HSET', job.key, 'started_ms', int(job.started_ms), 'started_at', utc(job.started_ms))
      if job.gate then gates().begun(job.gate, member_of(job), job.started_ms) end
    end
    last = note(job, outcome.status, outcome.code, outcome.body)
  else
    -- Never begun (unknown task, undecodable): no attempt, but its error is kept the same way.
    job.attempt = 0
    last = note(job, outcome.status, outcome.code, outcome.body)
    job.attempt = tonumber(call('HGET', job.key, 'attempt') or '0')
  end
  if outcome.charged then job.failures = job.failures + 1 end
  call('HSET', job.key, 'last_execution', outcome.execution, 'attempt', int(job.attempt), 'failures', int(job.failures))
  if outcome.task ~= '' then call('HSET', job.key, 'task', outcome.task) end
  release(job.id, outcome.execution, job.lease, job.queue)
  if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
  if job.adopted then show_result(job, outcome) end
  if again(job, outcome) then
    local state, code = doom(job)
    if state then conclude(job, state, code, last) else schedule(job, outcome.retry_ms) end
  else
    conclude(job, outcome.status, outcome.code, last)
  end
end

-- Jobs of stock RQ that wait for this one are its worker's to move on, also where this is said a second time.
local function answer(job)
  local waited_for = job.adopted and FINAL[job.state] and (try('SCARD', job.key .. ':dependents') or 0) > 0
  return waited_for and 'dependents' or 'done'
end

local function finish(outcome)
  local job, why = read(outcome.id)
  if not job then
    if why == 'corrupt' then quarantine(outcome.id, '') end
    local bad = broken_record()
    if bad then return 'error:' .. bad end
    drop(outcome.id .. ':' .. outcome.execution, lease)
    if call('SISMEMBER', OPEN, outcome.id) == 1 then emit(outcome.id, 0, why) end
    return 'gone'
  end
  if job.execution ~= outcome.execution then return job.last_execution == outcome.execution and answer(job) or 'stale' end
  if job.state ~= 'started' then return 'stale' end
  local bad = broken_record() or (outcome.retry_ms >= 0 and broken(SCHEDULED .. job.queue, 'zset'))
  if bad then return 'error:' .. bad end
  heed(job)
  settle(job, outcome)
  credit(outcome)
  return answer(job)
end

for i = 3, #ARGV, 11 do
  answers[#answers + 1] = finish({
    id = ARGV[i], execution = ARGV[i + 1], status = ARGV[i + 2], code = ARGV[i + 3], body = ARGV[i + 4], charged = ARGV[i + 5] == '1',
    retry_ms = tonumber(ARGV[i + 6]), ran = ARGV[i + 7] == '1', run_ms = tonumber(ARGV[i + 8]), task = ARGV[i + 9], rq_result = ARGV[i + 10],
  })
end
return answers
