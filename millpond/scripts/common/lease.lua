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

-- Executions that a lease has no more, and of these the ones that its worker displayed.
local relieved, hidden = {}, {}
settlers[#settlers + 1] = function()
  for lease, executions in pairs(relieved) do
    local key = RQ_WORKER .. worker_of(lease)
    spread(executions, 'HDEL', LEASES .. lease)
    spread(hidden[lease] or {}, 'SREM', key .. ':executions')
    relieved[lease], hidden[lease] = nil, nil
    local rests = try('EXISTS', LEASES .. lease, key .. ':executions') == 0
    if rests and try('HEXISTS', key, 'state') == 1 then try('HSET', key, 'state', 'idle') end
  end
end

-- Takes an execution off its lease, and with it what `display` made.
local function relieve(member, lease, is_shown)
  later(relieved, lease, member)
  if not is_shown then return end
  later(hidden, lease, member)
  obsolete[#obsolete + 1] = RQ_EXECUTION .. member
end

-- Drops the traces of the execution that its job's hash names: the job has no other.
local function release(job)
  local member = member_of(job)
  relieve(member, job.lease, job.mark)
  later(unranked, WIP .. job.queue, member)
  if job.mark then obsolete[#obsolete + 1] = RQ_EXECUTIONS .. job.id end
end

-- As `release`, of an execution that its job's hash does not name (any more), so that the queue is any of its worker's.
local function drop(member, lease)
  local id, execution = split_member(member)
  relieve(member, lease, true)
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
local function outcome_of(job, began_ms, status, code, body)
  return 'o:' .. int(job.run) .. ':' .. int(job.attempt), '{"status":' .. quoted[status] .. ',"code":' .. quoted[code]
    .. ',"worker":' .. quoted[job.worker_name or ''] .. ',"execution":' .. cjson.encode(job.execution)
    .. ',"started_ms":' .. int(began_ms) .. ',"ended_ms":' .. int(NOW) .. ',"body":' .. body .. '}'
end

-- Writes an outcome; answers its field's name.
local function note(job, began_ms, status, code, body)
  local field, text = outcome_of(job, began_ms, status, code, body)
  call('HSET', job.key, field, text)
  return field
end

-- A lease has a mark for each of its executions: when it began, in ms, or one of these while it is only claimed. TO_SHOW: its start has to
-- show in the job's hash at once, because its gate counts it, it must not begin a second time, or somebody watches.
local CLAIMED, TO_SHOW = 'claimed', 'to_show'
local function claimed_mark(job) return (job.gate or job.rerun == 'never' or job.watchers) and TO_SHOW or CLAIMED end

-- The marks of some executions, in their order; false where the lease has no such execution.
local function marks_of(lease, members)
  local marks = {}
  for from = 1, #members, 1000 do
    local some = try('HMGET', LEASES .. lease, unpack(members, from, math.min(from + 999, #members))) or {}
    for i = 1, math.min(1000, #members - from + 1) do marks[#marks + 1] = some[i] or false end
  end
  return marks
end

-- Writes a start into the job's hash; attempt + 1.
local function show_start(job, began_ms)
  job.mark, job.attempt, job.version, job.started_at = '1', job.attempt + 1, job.version + 1, utc(began_ms)
  call('HSET', job.key, 'mark', '1', 'attempt', int(job.attempt), 'version', int(job.version), 'started_at', job.started_at)
  if job.gate then gates().begun(job.gate, member_of(job), began_ms) end
  tell(job, job.watchers)
end

-- Answers whether a job's execution has begun, and has its start show where only the lease tells of it.
local function look_for_start(job)
  if job.mark then return true end
  local began_ms = tonumber(try('HGET', LEASES .. job.lease, member_of(job)) or '')
  if began_ms then show_start(job, began_ms) end
  return began_ms ~= nil
end

local GAVE_UP = {
  died = 'The process that ran it died.', lost = 'The worker that ran it died.', stopped = 'The worker was stopped before it ended.',
  released = 'The process that ran it knows nothing of it.',
}

-- A lease ends without an outcome. Cause: died (its child, or a runner that ran more), alone (its own runner), lost (its worker),
-- stopped (killed in a deploy), released (not begun). `how` its process ended, where that is known.
-- Its mark alone says whether it was begun (rule 3). The caller has checked OPEN, EVENTS and `broken_home`.
local function give_back(job, cause, how)
  local has_begun = look_for_start(job)
  release(job)
  if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
  local state, code = doom(job)
  if not has_begun then
    if state then conclude(job, state, code) else push(job, job.place or 'queue', true) end
    return
  end
  local why = cause == 'stopped' and 'worker_stopped' or 'worker_died'
  local message = how and 'The process that ran it died: ' .. how .. '.' or GAVE_UP[cause]
  local body = cjson.encode({error = {code = why, message = message, traceback = ''}})
  local last = note(job, ms_of(job.started_at or '') or NOW, 'failed', why, body)
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
  if not is(LEASES .. lease, 'hash') then
    try('DEL', LEASES .. lease) -- what it held is found by reconcile through the open set
    return 0
  end
  local members = call('HKEYS', LEASES .. lease)
  table.sort(members, function(a, b) return a > b end) -- ids are time-ordered: the oldest ends at the head
  local kept, done = 0, 0
  for _, member in ipairs(members) do
    if done >= limit then return #members - done end
    local id, execution = split_member(member)
    local job, why = read(id or '')
    if not id then
      call('HDEL', LEASES .. lease, member)
    elseif not job or job.state ~= 'started' or job.execution ~= execution then
      drop(member, lease)
      if why == 'corrupt' then quarantine(id, '') end
      done = done + 1
    elseif broken_home(job) or (keep_marked and look_for_start(job)) then
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

local function any_idle(queues)
  for _, name in ipairs(queues) do
    if (try('SCARD', IDLE .. name) or 0) > 0 then return true end
  end
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
