-- finish: ends executions: fenced, outcome and state, lease off, event, waiters woken. One answer per item.
local worker, generation = ARGV[1], ARGV[2]
local lease = worker .. ':' .. generation
local answers, bad_record = {}, broken_record()

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

-- What this worker did, in this call.
local credit = {successful_job_count = 0, failed_job_count = 0, worked_ms = 0}
settlers[#settlers + 1] = function()
  local key = RQ_WORKER .. worker
  if credit.successful_job_count + credit.failed_job_count == 0 then return end
  if try('HEXISTS', key, 'birth') ~= 1 then return end -- never make anew what no one would let expire
  for _, name in ipairs({'successful_job_count', 'failed_job_count'}) do
    if credit[name] > 0 then try('HINCRBY', key, name, credit[name]) end
  end
  try('HINCRBYFLOAT', key, 'total_working_time', string.format('%.3f', credit.worked_ms / 1000))
end

local function give_credit(outcome)
  local name = outcome.status == 'finished' and 'successful_job_count' or 'failed_job_count'
  credit[name] = credit[name] + 1
  credit.worked_ms = credit.worked_ms + outcome.run_ms
end

-- An adopted job's retries were counted by who read RQ's fields: a delay says that one is left.
local function again(job, outcome)
  local left = job.adopted or job.failures < (job.max_attempts or 1)
  return left and outcome.status == 'failed' and outcome.retry_ms >= 0 and job.rerun ~= 'never'
end

-- `last_execution`: from here on, who asks again about its end finds its name nowhere else.
local function schedule(job, delay, more)
  local due = NOW + delay
  tell_batch(job.id, job.state, 'scheduled')
  job.version = job.version + 1
  call('HSET', job.key, 'state', 'scheduled', 'status', 'scheduled', 'version', int(job.version), 'run_at_ms', int(due),
    'last_execution', job.execution, unpack(more))
  call('HDEL', job.key, 'execution', 'lease', 'mark', 'place')
  call('ZADD', SCHEDULED .. job.queue, due / 1000, job.id)
  emit(job.id, job.version, 'scheduled')
  tell(job, job.watchers)
end

-- The number of the attempt that ended: what never began (unknown task, undecodable) is none, but its error is kept the same way.
local function attempt_of(job, outcome)
  if not outcome.ran then return 0 end
  return job.mark and job.attempt or job.attempt + 1 -- its start is not in the hash; it did run
end

local function add(fields, ...)
  for _, part in ipairs({...}) do fields[#fields + 1] = part end
end

local function end_execution(job, outcome)
  local attempt, begun = attempt_of(job, outcome), job.attempt
  local began_ms = job.mark and ms_of(job.started_at or '') or NOW - outcome.run_ms
  job.attempt, job.worker_name = attempt, worker
  local last, text = outcome_of(job, began_ms, outcome.status, outcome.code, outcome.body)
  local fields = {last, text}
  if attempt > begun then
    fields = {last, text, 'started_at', utc(began_ms), 'attempt', int(attempt)}
    if job.gate then gates().begun(job.gate, member_of(job), began_ms) end
  end
  job.attempt = math.max(attempt, begun)
  if outcome.charged then
    job.failures = job.failures + 1
    add(fields, 'failures', int(job.failures))
  end
  if outcome.task ~= '' then add(fields, 'task', outcome.task) end
  release(job)
  if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
  if job.adopted then show_result(job, outcome) end
  local state, code = outcome.status, outcome.code
  if again(job, outcome) then
    state, code = doom(job)
    if not state then return schedule(job, outcome.retry_ms, fields) end
  end
  job.execution, job.lease, job.mark = nil, nil, nil -- they stay in the hash: what asks for its end again is known by them
  conclude(job, state, code, last, fields)
end

-- Jobs of stock RQ that wait for this one are its worker's to move on, also where this is said a second time.
local function answer(job)
  local waited_for = job.adopted and FINAL[job.state] and (try('SCARD', job.key .. ':dependents') or 0) > 0
  return waited_for and 'dependents' or 'done'
end

-- What is looked at where a function returned and was this execution's; all else is read whole.
local NEEDED = {'mark', 'attempt', 'started_at', 'run', 'waiters', 'watchers', 'adopted', 'gate'}
local function read_for(outcome)
  local job, why = read(outcome.id, outcome.status == 'finished' and NEEDED or nil)
  if job and (job.execution ~= outcome.execution or job.status ~= 'started') then return read(outcome.id) end
  return job, why
end

local function finish(outcome)
  local job, why = read_for(outcome)
  if not job then
    if why == 'corrupt' then quarantine(outcome.id, '') end
    if bad_record then return 'error:' .. bad_record end
    drop(outcome.id .. ':' .. outcome.execution, lease)
    if call('SISMEMBER', OPEN, outcome.id) == 1 then emit(outcome.id, 0, why) end
    return 'gone'
  end
  local known = outcome.execution == job.execution or outcome.execution == job.last_execution
  if job.state ~= 'started' or job.execution ~= outcome.execution then return known and answer(job) or 'stale' end
  local bad = bad_record or (outcome.retry_ms >= 0 and broken(SCHEDULED .. job.queue, 'zset'))
  if bad then return 'error:' .. bad end
  heed(job)
  end_execution(job, outcome)
  give_credit(outcome)
  return answer(job)
end

-- Most functions return: of them nothing is said but that, for how long they ran, and what they returned.
local RETURNED = {status = 'finished', code = '', charged = false, retry_ms = -1, ran = true, task = '', rq_result = ''}
for i = 3, #ARGV, 5 do
  local outcome = ARGV[i + 4] == '' and RETURNED or cjson.decode(ARGV[i + 4])
  outcome.id, outcome.execution, outcome.run_ms, outcome.body = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  answers[#answers + 1] = finish(outcome)
end
return answers
