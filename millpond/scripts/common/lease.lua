-- Executions, the leases that stand for them, and the workers that hold those.

local function member_of(job) return job.id .. ':' .. job.execution end

-- When an execution was claimed, in ms: its name begins with that.
local function claimed_at(job) return tonumber(string.match(job.execution, '^%x+') or '0', 16) end

local function split_member(member) return string.match(member, '^(.*):([^:]*)$') end

local function worker_of(lease) return string.match(lease, '^(.*):[^:]*$') or '' end

local function queues_of(worker)
  local queues = {}
  for name in string.gmatch(try('HGET', WORKERS, worker) or '', '[^,]+') do queues[#queues + 1] = name end
  return queues
end

-- Executions that a lease has no more.
local relieved = {}
settlers[#settlers + 1] = function()
  for lease, executions in pairs(relieved) do
    relieved[lease] = nil
    local key = RQ_WORKER .. worker_of(lease)
    spread(executions, 'SREM', LEASES .. lease)
    spread(executions, 'SREM', key .. ':executions')
    if try('EXISTS', key .. ':executions') == 0 and try('HEXISTS', key, 'state') == 1 then try('HSET', key, 'state', 'idle') end
  end
end

-- Drops the traces of an execution that an end takes from its worker: its lease and RQ's displays.
local function relieve(member, lease)
  later(relieved, lease, member)
  obsolete[#obsolete + 1] = RQ_EXECUTION .. member
end

-- Drops the traces of the execution that its job's hash names: the job has no other.
local function release(id, execution, lease, queue)
  local member = id .. ':' .. execution
  relieve(member, lease)
  later(unranked, WIP .. queue, member)
  obsolete[#obsolete + 1] = RQ_EXECUTIONS .. id
end

-- As `release`, of an execution that its job's hash does not name (any more), so that the queue is any of its worker's.
local function drop(member, lease)
  local id, execution = split_member(member)
  relieve(member, lease)
  for _, queue in ipairs(queues_of(worker_of(lease))) do later(unranked, WIP .. queue, member) end
  try('ZREM', RQ_EXECUTIONS .. id, execution)
  leave_unnamed(member)
end

-- JSON of the few texts that come again and again.
local quoted = setmetatable({}, {__index = function(known, text)
  known[text] = cjson.encode(text)
  return known[text]
end})

-- One execution's outcome, its only copy until a collector has recorded it: the field's name and text.
local function outcome_of(job, status, code, body)
  return 'o:' .. int(job.run) .. ':' .. int(job.attempt), '{"status":' .. quoted[status] .. ',"code":' .. quoted[code]
    .. ',"worker":' .. quoted[job.worker_name or ''] .. ',"execution":' .. cjson.encode(job.execution)
    .. ',"started_ms":' .. int(job.started_ms or NOW) .. ',"ended_ms":' .. int(NOW) .. ',"body":' .. body .. '}'
end

-- Writes an outcome; answers its field's name.
local function note(job, status, code, body)
  local field, text = outcome_of(job, status, code, body)
  call('HSET', job.key, field, text)
  return field
end

local GAVE_UP = {
  died = 'The process that ran it died.', lost = 'The worker that ran it died.', stopped = 'The worker was stopped before it ended.',
  released = 'The process that ran it knows nothing of it.',
}

-- A lease ends without an outcome. Cause: died (its child, or a runner that ran more), alone (its own runner), lost (its worker),
-- stopped (killed in a deploy), released (not begun). `how` its process ended, where that is known.
-- Its mark alone says whether it was begun (rule 3). The caller has checked OPEN, EVENTS and `broken_home`.
local function give_back(job, cause, how)
  release(job.id, job.execution, job.lease, job.queue)
  if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
  local state, code = doom(job)
  if job.mark ~= '1' then
    if state then conclude(job, state, code) else push(job, job.place or 'queue', true) end
    return
  end
  local why = cause == 'stopped' and 'worker_stopped' or 'worker_died'
  local message = how and 'The process that ran it died: ' .. how .. '.' or GAVE_UP[cause]
  local last = note(job, 'failed', why, cjson.encode({error = {code = why, message = message, traceback = ''}}))
  if cause ~= 'stopped' then
    job.deaths = job.deaths + 1
    if job.place == 'alone' or cause == 'alone' then job.crashes = job.crashes + 1 end
    call('HSET', job.key, 'deaths', int(job.deaths), 'crashes', int(job.crashes))
  end
  if state then
    conclude(job, state, code, last)
  elseif job.rerun == 'never' then
    conclude(job, 'failed', 'interrupted', last)
  elseif job.crashes >= 3 then
    conclude(job, 'failed', 'crashed', last)
  else
    push(job, home(job), true)
    emit(job.id, job.version, 'returned')
  end
end

-- The first key that giving the job back could not use.
local function broken_home(job) return broken(QUEUE .. job.queue, 'list', ALONE .. job.queue, 'list') end

-- Gives back up to `limit` leases of one generation; answers how many it still has. `keep_marked`: leave what was begun.
local function give_back_lease(lease, limit, cause, keep_marked)
  if not is(LEASES .. lease, 'set') then
    try('DEL', LEASES .. lease) -- what it held is found by reconcile through the open set
    return 0
  end
  local members = call('SMEMBERS', LEASES .. lease)
  table.sort(members, function(a, b) return a > b end) -- ids are time-ordered: the oldest ends at the head
  local kept, done = 0, 0
  for _, member in ipairs(members) do
    if done >= limit then return #members - done end
    local id, execution = split_member(member)
    local job, why = read(id or '')
    if not id then
      call('SREM', LEASES .. lease, member)
    elseif not job or job.state ~= 'started' or job.execution ~= execution then
      drop(member, lease)
      if why == 'corrupt' then quarantine(id, '') end
      done = done + 1
    elseif broken_home(job) or (keep_marked and job.mark == '1') then
      kept = kept + 1
    else
      heed(job)
      give_back(job, cause)
      done = done + 1
    end
  end
  return keep_marked and 0 or kept
end

-- Workers -------------------------------------------------------------------------------------------------------------------

local function leave_idle(lease, queues)
  for _, name in ipairs(queues) do try('SREM', IDLE .. name, lease) end
end

-- Strikes a worker without leases off every list.
local function unregister(worker)
  for _, name in ipairs(queues_of(worker)) do try('SREM', RQ_WORKERS_OF .. name, RQ_WORKER .. worker) end
  call('HDEL', WORKERS, worker)
  try('HDEL', BEATS, worker)
  try('HDEL', MISSED, worker)
  try('SREM', RQ_WORKERS, RQ_WORKER .. worker)
  try('DEL', GENERATIONS .. worker, ALIVE .. worker, RQ_WORKER .. worker, RQ_WORKER .. worker .. ':executions')
end
