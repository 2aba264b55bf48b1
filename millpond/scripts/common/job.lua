-- A job: reading its hash, and the steps of which moves are made.

-- Our state -> RQ's word for it (the hash holds both; RQ knows no `expired`).
local STATUS = {
  scheduled = 'scheduled', queued = 'queued', started = 'started', finished = 'finished', failed = 'failed',
  canceled = 'canceled', stopped = 'stopped', expired = 'canceled',
}

local FINAL = {finished = true, failed = true, canceled = true, stopped = true, expired = true}

local REGISTRY = {finished = FINISHED, failed = FAILED, stopped = FAILED, canceled = CANCELED, expired = CANCELED}

local RQ_WORDS = {
  created = true, queued = true, finished = true, failed = true, started = true, deferred = true, scheduled = true,
  stopped = true, canceled = true, rate_limited = true, ready_to_enqueue = true,
}

local NUMBERS = {
  version = true, run = true, attempt = true, failures = true, deaths = true, crashes = true, expires_ms = true, run_at_ms = true,
  max_attempts = true, enqueued_ms = true, created_ms = true, recorded = true, result_ttl = true,
  failure_ttl = true,
}

-- All that moves look at, beside what `read` always asks for.
local FIELDS = {
  'place', 'mark', 'last_execution', 'wish', 'rerun', 'worker_name', 'waiters', 'watchers', 'adopted', 'timeout', 'gate', 'run', 'attempt',
  'failures', 'deaths', 'crashes', 'expires_ms', 'run_at_ms', 'max_attempts', 'started_at', 'ended_at', 'enqueued_ms', 'created_ms',
  'recorded', 'result_ttl', 'failure_ttl',
}

-- A gate as a job's hash has it: how many executions at once (0: any number), how many starts in how many ms (0: any), and its key.
local function gate_in(text)
  local most, starts, window, key = string.match(text, '^(%d+) (%d+) (%d+) (.+)$')
  return key and {text = text, most = tonumber(most), starts = tonumber(starts), window = tonumber(window), key = key}
end

local gates -- what moves do with them: gate.lua

-- Takes a number of a hash over into a job; false: it is none. The few numbers of a call come again and again.
local counts = {}
local function count_in(job, name, text)
  if text == '' then return true end
  local number = counts[text] or tonumber(text)
  if not number or number % 1 ~= 0 then return false end -- nan and inf too
  job[name], counts[text] = number, number
  return true
end

-- What the absence of a field means.
local ABSENT = {__index = {run = 1, attempt = 0, failures = 0, deaths = 0, crashes = 0, place = 'queue'}}

-- Sees whether what was read is a job, RQ's or ours, and completes it.
local function complete(job)
  local state, origin = job.state, job.origin
  if not RQ_WORDS[job.status or ''] or not origin or origin == '' then return nil, 'corrupt' end
  if state and (not STATUS[state] or not job.version) then return nil, 'corrupt' end
  if state == 'started' and not (job.execution and job.lease) then return nil, 'corrupt' end
  job.queue = origin
  if job.gate then job.gate = gate_in(job.gate) end
  local place = job.place
  if place and place ~= 'alone' and not (place == 'held' and job.gate) then job.place = 'queue' end -- a claim would drop what names no list, again and again
  return setmetatable(job, ABSENT)
end

-- The job as a table, or nil and why: gone (no hash) or corrupt (not a hash of RQ's or ours). `fields`: those that the caller needs,
-- beside what says whether it is a job; each is looked for in the whole hash. A table that is made with nine fields or more has room for
-- sixteen; one that grows to as many is made five times.
local function read(id, fields)
  fields = fields or FIELDS
  local key = JOB .. id
  local raw = redis.pcall('HMGET', key, 'state', 'status', 'origin', 'version', 'execution', 'lease', unpack(fields))
  if raw.err then return nil, 'corrupt' end
  local job = {
    id = id, key = key, state = raw[1] or nil, status = raw[2] or nil, origin = raw[3] or nil, queue = raw[3] or nil,
    execution = raw[5] or nil, lease = raw[6] or nil, version = nil,
  }
  if raw[4] and not count_in(job, 'version', raw[4]) then return nil, 'corrupt' end
  for i = 1, #fields do
    local name, value = fields[i], raw[i + 6]
    if value then
      if not NUMBERS[name] then job[name] = value elseif not count_in(job, name, value) then return nil, 'corrupt' end
    end
  end
  if not job.status and call('EXISTS', key) == 0 then return nil, 'gone' end
  return complete(job)
end

-- As `read`, with the whole hash as it is.
local function read_all(id)
  local flat = redis.pcall('HGETALL', JOB .. id)
  if flat.err then return nil, 'corrupt' end
  if #flat == 0 then return nil, 'gone' end
  local job = {
    state = nil, status = nil, origin = nil, version = nil, data = nil, created_at = nil, enqueued_at = nil, enqueued_ms = nil, timeout = nil,
  }
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    if not NUMBERS[name] then job[name] = value elseif not count_in(job, name, value) then return nil, 'corrupt' end
  end
  job.id, job.key = id, JOB .. id -- whatever fields it has
  job = complete(job)
  return job, job and flat or 'corrupt'
end

-- An event is a pointer (ADR 0002), or several: whoever reads it looks at the hashes.
local function emit_all(ids, versions, kind) call('XADD', EVENTS, '*', 'j', ids, 'v', versions, 'k', kind) end

local function emit(id, version, kind) emit_all(id, int(version), kind) end

-- Tells the replicas whose channels a job names that it moved: `waiters` hear of its end, `watchers` of each move that shows (rule 14).
local function tell(job, channels)
  if not channels then return end
  for channel in string.gmatch(channels, '%S+') do try('PUBLISH', channel, job.id) end
end

-- Each idle generation of a queue gets a token at most once (rule 13).
local function wake(queue, jobs)
  local sleepers = try('SCARD', IDLE .. queue) or 0
  if sleepers == 0 then return end
  local tokens = try('LLEN', WAKE .. queue)
  if not tokens then return end
  for _ = 1, math.min(sleepers, jobs) - tokens do call('RPUSH', WAKE .. queue, '1') end
end

local function list_of(place, queue) return (place == 'alone' and ALONE or QUEUE) .. queue end

-- The list in which a job waits.
local function place_of(job) return job.place == 'held' and HELD .. job.gate.key or list_of(job.place, job.queue) end

-- After its second death in company a job runs alone, in a one-slot child (rule 6).
local function home(job) return job.deaths - job.crashes >= 2 and 'alone' or 'queue' end

-- Puts a job into its list. The caller has checked the list's type.
local function push(job, place, front)
  tell_batch(job.id, job.state, 'queued')
  job.version = job.version + 1
  job.state = 'queued'
  call('HSET', job.key, 'state', 'queued', 'status', 'queued', 'version', int(job.version), 'place', place,
    'enqueued_ms', int(NOW), 'enqueued_at', utc(NOW))
  call('HDEL', job.key, 'execution', 'lease', 'mark', 'run_at_ms')
  local length = call(front and 'LPUSH' or 'RPUSH', list_of(place, job.queue), job.id)
  try('SADD', RQ_QUEUES, QUEUE .. job.queue)
  if place == 'queue' then wake(job.queue, length) end
  tell(job, job.watchers)
end

-- What ended in this call: one event for a hundred of them (ADR 0002), and one question whether they are open, which nearly all are.
-- First of all that is settled: what it opens is summed up.
local EVENT_JOBS = 100
local ended, ended_ids, ended_versions, drained = {}, {}, {}, {}
table.insert(settlers, 1, function()
  if not ended[1] then return end
  for from = 1, #ended, EVENT_JOBS do
    local to = math.min(from + EVENT_JOBS - 1, #ended)
    for i, is_open in ipairs(call('SMISMEMBER', OPEN, unpack(ended_ids, from, to))) do
      if is_open == 0 then open(ended[from + i - 1]) end
    end
    emit_all(table.concat(ended_ids, ' ', from, to), table.concat(ended_versions, ' ', from, to), 'ended')
  end
  for queue, jobs in pairs(drained) do count(DRAINED .. queue, jobs) end
  ended, ended_ids, ended_versions, drained = {}, {}, {}, {}
end)

local function note_end(job)
  ended[#ended + 1], ended_ids[#ended_ids + 1], ended_versions[#ended_versions + 1] = job, job.id, int(job.version)
  drained[job.queue] = (drained[job.queue] or 0) + 1
end

-- What an ended job has no more, of what the caller knows of it.
local PASSING = {'execution', 'lease', 'mark', 'wish', 'waiters', 'watchers', 'run_at_ms'}
local function strip(job)
  local names
  for i = 1, #PASSING do
    if job[PASSING[i]] then names = names or {}; names[#names + 1] = PASSING[i] end
  end
  if job.place ~= 'queue' then names = names or {}; names[#names + 1] = 'place' end
  if names then call('HDEL', job.key, unpack(names)) end
end

-- Ends a job's run. `last` names the outcome field where an execution ended it; `more`: fields to write along with the state. The
-- caller has checked OPEN and EVENTS.
local function conclude(job, state, code, last, more)
  tell_batch(job.id, job.state, state)
  if job.gate and job.state == 'queued' then gates().step_out(job) end
  job.version = job.version + 1
  job.state, job.ended_at, more = state, utc(NOW), more or {}
  if code ~= '' then more[#more + 1], more[#more + 2] = state == 'failed' and 'error_code' or 'reason', code end
  call('HSET', job.key, 'state', state, 'status', STATUS[state], 'version', int(job.version), 'ended_at', job.ended_at,
    'last', last or '', unpack(more))
  strip(job)
  note_end(job)
  later(ranked, REGISTRY[state] .. job.queue, '+inf', job.id)
  tell(job, job.waiters)
  tell(job, job.watchers)
end

-- Stock producers may use an id of their own again (rq 3.0: `job_id`), long after its last job was forgotten. The record tells its jobs
-- apart by their runs, so the runs of such an id are counted aside, for a year from the last.
local UUID = '^%x+%-%x+%-%x+%-%x+%-%x+$'
local function may_come_again(id) return #id ~= 32 and not (#id == 36 and string.match(id, UUID)) end

local function next_run(id, run)
  if not may_come_again(id) then return run + 1 end
  local count = math.max(tonumber(try('GET', RUNS .. id) or '') or 0, run) + 1
  try('SET', RUNS .. id, int(count), 'EX', '31622400')
  return count
end

-- Begins another run of a job that had ended.
local function begin_run(job)
  job.run = next_run(job.id, job.run)
  job.version = job.version + 1
  call('HSET', job.key, 'run', int(job.run), 'version', int(job.version), 'attempt', '0', 'failures', '0', 'deaths', '0', 'crashes', '0')
  call('HDEL', job.key, 'wish', 'reason', 'error_code', 'last', 'last_execution', 'execution', 'lease', 'mark', 'expires_ms',
    'recorded', 'started_at', 'ended_at')
  call('PERSIST', job.key)
  job.attempt, job.failures, job.deaths, job.crashes = 0, 0, 0, 0
  job.wish, job.expires_ms, job.mark, job.execution = nil, nil, nil, nil
  try('ZREM', REGISTRY[job.state] .. job.queue, job.id)
  try('ZREM', KEPT .. job.queue, job.id)
  try('ZREM', FORGET, job.id)
  open(job)
  tell_batch(job.id, job.state, 'queued')
  job.state = 'queued'
end

-- A waiting job that stock RQ put: from its first touch on it is ours (DESIGN 5). False where it does not wait for a worker or a
-- time (RQ moves it on), or has no payload.
local ADOPTED = {created = 'queued', queued = 'queued', scheduled = 'scheduled'}
local function adopt(job)
  if not ADOPTED[job.status] or call('HEXISTS', job.key, 'data') == 0 then return false end
  local seconds = tonumber(job.timeout or '') or 180
  job.state, job.run, job.created_ms, job.adopted = ADOPTED[job.status], next_run(job.id, 0), NOW, '1'
  job.version = may_come_again(job.id) and NOW * 1000 or 1 -- above that of any job before it
  call('HSET', job.key, 'state', job.state, 'version', int(job.version), 'run', int(job.run), 'owner', 'public', 'adopted', '1',
    'place', 'queue', 'created_ms', int(NOW), 'enqueued_ms', int(NOW), 'timeout_ms', int(seconds > 0 and seconds * 1000 or 0))
  call('PERSIST', job.key)
  open(job)
  emit(job.id, job.version, 'accepted')
  return true
end

-- One of RQ's tools moved the job.
local function follow_rq(job)
  if REGISTRY[job.status] then try('ZREM', REGISTRY[job.status] .. job.queue, job.id) end
  if job.state == 'queued' or job.state == 'scheduled' then
    if job.status == 'canceled' or job.status == 'stopped' then
      try('ZREM', SCHEDULED .. job.queue, job.id)
      conclude(job, job.status, 'by_rq')
    elseif job.state == 'scheduled' and job.status == 'queued' then
      tell_batch(job.id, 'scheduled', 'queued')
      job.state, job.version, job.place, job.enqueued_ms = 'queued', job.version + 1, 'queue', NOW
      call('HSET', job.key, 'state', 'queued', 'version', int(job.version), 'place', 'queue', 'enqueued_ms', int(NOW))
      emit(job.id, job.version, 'requeued')
    else
      call('HSET', job.key, 'status', STATUS[job.state])
    end
  elseif job.state == 'started' then
    -- A lease decides who runs it, whatever RQ says: a cancel or stop becomes a wish, all else is put right.
    if (job.status == 'canceled' or job.status == 'stopped') and not job.wish then
      job.wish = job.status == 'canceled' and 'cancel' or 'stop'
      job.version = job.version + 1
      call('HSET', job.key, 'wish', job.wish, 'version', int(job.version))
    end
    call('HSET', job.key, 'status', 'started')
  elseif job.status == 'queued' then
    begin_run(job)
    job.place, job.enqueued_ms = 'queue', NOW
    call('HSET', job.key, 'state', 'queued', 'place', 'queue', 'enqueued_ms', int(NOW))
    emit(job.id, job.version, 'requeued')
  else
    call('HSET', job.key, 'status', STATUS[job.state])
  end
  job.status = STATUS[job.state]
end

-- Where RQ's word differs from our state, one of RQ's tools moved the job: make its move ours (rule 8).
-- The caller has checked OPEN and EVENTS.
local function heed(job)
  if job.status == STATUS[job.state] then return end
  follow_rq(job)
end

-- How a job that waits or stopped running must end instead of going on, or nil.
local function doom(job)
  if job.wish == 'stop' then return 'stopped', 'stopped' end
  if job.wish then return 'canceled', 'canceled' end
  if job.expires_ms and job.expires_ms <= NOW then return 'expired', 'expired' end
  return nil
end

-- Ends at once what waits, leaves a wish for what runs; answers ok, wish or conflict. The caller has checked OPEN and EVENTS.
local SEARCHABLE = 10000 -- a longer list is not searched: the id stays until it is popped and dropped
local function cancel(job)
  heed(job)
  if job.state == 'queued' then
    local list = place_of(job)
    if is(list, 'list') and call('LLEN', list) < SEARCHABLE then call('LREM', list, 0, job.id) end
    conclude(job, 'canceled', 'canceled')
  elseif job.state == 'scheduled' then
    try('ZREM', SCHEDULED .. job.queue, job.id)
    conclude(job, 'canceled', 'canceled')
  elseif job.state == 'started' then
    if not job.wish then
      job.version = job.version + 1
      call('HSET', job.key, 'wish', 'cancel', 'version', int(job.version))
    end
    return 'wish'
  else
    return 'conflict'
  end
  return 'ok'
end

-- A hash that cannot be read is set aside with its reason; its id stays in the open set until it is recorded as corrupt.
local function quarantine(id, queue)
  try('HSET', QUARANTINE, id, cjson.encode({queue = queue, at_ms = int(NOW), reason = 'corrupt'}))
end
