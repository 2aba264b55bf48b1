-- Gates (ADR 0014): of the jobs with one key only so many run at once, and so few begin within any window of time. claim gives an
-- execution its turn, or keeps the job aside; whatever ends the execution gives the turn back and calls up the next, which goes to the
-- head of its queue and comes to claim again: claim alone lets jobs pass.
-- A call in which no job has a gate pays for this one function, and not for those in it.
local MARGIN_MS = 5 -- a start counts so much longer: its mark and its function's first line are a moment apart
local CLAIMED_MS = 86400000 -- what is claimed may wait for as long behind what runs
local LOOKED_AT = 100 -- gates and held ids in one call
local ENOUGH = 3 -- children that come back when a gate opens: one might do, if none ever died or were busy then
local made

gates = function()
  if made then return made end
  made = {}

  -- No limit is worth a job: what is of a wrong type is begun anew.
  local function usable(gate)
    local wants = {[RUN .. gate.key] = 'set', [STARTS .. gate.key] = 'zset', [HELD .. gate.key] = 'list', [TURNS] = 'hash', [OPENS] = 'zset'}
    for key, want in pairs(wants) do
      if not is(key, want) then
        call('DEL', key)
        types[key] = 'none'
      end
    end
    return gate
  end

  -- How many more may begin by the rate, and by both limits. Who has a turn and has not begun counts as if it began now, whenever that is.
  local function room(gate)
    local starts = math.huge
    if gate.starts > 0 then
      local counted = STARTS .. gate.key
      call('ZREMRANGEBYSCORE', counted, '-inf', int(NOW))
      call('ZREMRANGEBYSCORE', counted, '(' .. int(NOW + gate.window + MARGIN_MS), '(+inf') -- of before the clock was set back
      starts = gate.starts - call('ZCARD', counted)
    end
    local slots = gate.most > 0 and gate.most - call('SCARD', RUN .. gate.key) or math.huge
    return starts, math.min(starts, slots)
  end

  -- The starts of a gate that nobody uses are forgotten when none counts any more.
  local function keep(gate)
    local promised = call('ZCOUNT', STARTS .. gate.key, '+inf', '+inf') > 0
    call('PEXPIRE', STARTS .. gate.key, int(gate.window + (promised and CLAIMED_MS or MARGIN_MS)))
  end

  -- Notes when the rate lets the next of the held begin: the first who sleeps learns it from its claim, and comes back then.
  local function foretell(gate, queue)
    local first = tonumber(call('ZRANGE', STARTS .. gate.key, 0, 0, 'WITHSCORES')[2] or '') or math.huge
    if first == math.huge then first = NOW + gate.window + MARGIN_MS end
    if call('ZADD', OPENS, int(first), gate.key) == 0 then return end
    try('DEL', AWAITED)
    wake(queue, 1)
  end

  local function older(job, id)
    local enqueued = id and is(JOB .. id, 'hash') and tonumber(call('HGET', JOB .. id, 'enqueued_ms') or '')
    return enqueued and (job.enqueued_ms or 0) < enqueued
  end

  -- Keeps a job aside. One that was called up, and overtaken on the way, waits before those that came after it.
  local function hold(job, starts)
    local held = HELD .. job.gate.key
    job.place, job.version = 'held', job.version + 1
    call('HSET', job.key, 'place', 'held', 'version', int(job.version))
    call(older(job, call('LINDEX', held, 0)) and 'LPUSH' or 'RPUSH', held, job.id)
    try('ZADD', ASIDE .. job.queue, int(job.enqueued_ms or NOW), job.id)
    if starts < 1 then foretell(job.gate, job.queue) end
    tell(job, job.watchers)
  end

  local function unlist(job, id)
    if job then return try('ZREM', ASIDE .. job.queue, id) end
    for _, key in ipairs(try('SMEMBERS', RQ_QUEUES) or {}) do try('ZREM', ASIDE .. string.sub(key, #QUEUE + 1), id) end
  end

  -- The first that still waits before a gate; ids of what does not are dropped.
  local function first_held(key)
    for _ = 1, LOOKED_AT do
      local id = call('LINDEX', HELD .. key, 0)
      if not id then return nil end
      local job = read(id)
      local held = job and job.state == 'queued' and job.place == 'held'
      if held and job.gate.key == key then return job end
      call('LPOP', HELD .. key)
      if not held then unlist(job, id) end
    end
  end

  local function send_up(job)
    job.place, job.version = home(job), job.version + 1
    call('HSET', job.key, 'place', job.place, 'version', int(job.version))
    local length = call('LPUSH', place_of(job), job.id)
    unlist(job, job.id)
    try('SADD', RQ_QUEUES, QUEUE .. job.queue)
    if job.place == 'queue' then wake(job.queue, length) end
    tell(job, job.watchers)
  end

  -- Calls up to `number` held jobs to the head of their queues, in their order; answers how many. What waits in a paused queue is in
  -- nobody's way, and counts for none.
  local function call_up(key, number)
    local called, counted = {}, 0
    while counted < number and #called < LOOKED_AT do
      local job = first_held(key)
      if not job or broken(list_of(home(job), job.queue), 'list') then break end
      call('LPOP', HELD .. key)
      called[#called + 1] = job
      if try('SISMEMBER', PAUSED, job.queue) ~= 1 then counted = counted + 1 end
    end
    for i = #called, 1, -1 do send_up(called[i]) end
    return counted
  end

  -- A turn is free, or was not taken: it is the next one's.
  local function pass_on(gate, queue)
    if call('EXISTS', HELD .. gate.key) == 0 then return end
    local starts, free = room(gate)
    if free > 0 then
      call_up(gate.key, 1)
    elseif starts < 1 then
      foretell(gate, queue)
    end
  end

  -- Keeps the job aside if its gate is shut; the caller leases it, and says `enter`, if not.
  function made.keeps(job)
    local starts, free = room(usable(job.gate))
    if free < 1 then hold(job, starts) end
    return free < 1
  end

  -- A leased execution has its turn from now on.
  function made.enter(gate, member)
    call('HSET', TURNS, member, gate.text)
    if gate.most > 0 then call('SADD', RUN .. gate.key, member) end
    if gate.starts > 0 then
      call('ZADD', STARTS .. gate.key, '+inf', member)
      keep(gate)
    end
  end

  -- An execution with a turn began, at that time.
  function made.begun(gate, member, at)
    if gate.starts == 0 or not is(STARTS .. gate.key, 'zset') then return end
    call('ZADD', STARTS .. gate.key, 'XX', int(at + gate.window + MARGIN_MS), member)
    keep(gate)
  end

  -- What never began counts as no start.
  local function unpromise(gate, member)
    if call('ZSCORE', STARTS .. gate.key, member) ~= 'inf' then return end
    call('ZREM', STARTS .. gate.key, member)
    keep(gate)
  end

  -- An execution is over.
  function made.leave(gate, member, queue)
    usable(gate)
    call('HDEL', TURNS, member)
    call('SREM', RUN .. gate.key, member)
    unpromise(gate, member)
    pass_on(gate, queue)
  end

  -- A job ended that waited before its gate, called up or held.
  function made.step_out(job)
    if job.place == 'held' then return unlist(job, job.id) end
    pass_on(usable(job.gate), job.queue)
  end

  -- Opens the gate of `key` as far as its rate allows by now.
  function made.open(key)
    call('ZREM', OPENS, key)
    local job = is(HELD .. key, 'list') and first_held(key)
    if not job then return end
    local starts, free = room(usable(job.gate))
    local called = free > 0 and call_up(key, math.min(free, LOOKED_AT)) or 0
    if call('EXISTS', HELD .. key) == 0 then return end
    if called == LOOKED_AT then
      call('ZADD', OPENS, int(NOW), key)
    elseif called >= starts then
      foretell(job.gate, job.queue)
    end
  end

  -- Of a gate before which jobs are held, drops the turns of executions for which `is_over` holds; answers how many have room now and
  -- were called up.
  function made.audit(gate, most, is_over)
    for _, member in ipairs(call('SRANDMEMBER', RUN .. usable(gate).key, most)) do
      if is_over(member) then call('SREM', RUN .. gate.key, member) end
    end
    for _, member in ipairs(call('ZRANDMEMBER', STARTS .. gate.key, most)) do
      if is_over(member) then unpromise(gate, member) end
    end
    local _, free = room(gate)
    return free > 0 and call_up(gate.key, math.min(free, most)) or 0
  end

  return made
end

-- As `leave`, of an execution whose job's hash does not name it (any more).
local function leave_unnamed(member)
  local text = try('HGET', TURNS, member)
  local gate = text and gate_in(text)
  if gate then gates().leave(gate, member, '') end
end

-- Opens the gates whose time has come; answers whether there are any to wait for.
local function open_gates()
  local at = try('ZRANGE', OPENS, 0, LOOKED_AT - 1, 'WITHSCORES') or {}
  for i = 1, #at, 2 do
    if tonumber(at[i + 1]) <= NOW then gates().open(at[i]) end
  end
  return #at > 0
end

-- Ms until the next gate opens; -1: none is known to, or enough children come back for it already.
local function opening_in()
  local at = try('ZRANGE', OPENS, 0, 0, 'WITHSCORES')
  if not (at and at[2]) then return -1 end
  local left = math.max(0, tonumber(at[2]) - NOW)
  local others = try('INCR', AWAITED)
  try('PEXPIRE', AWAITED, math.max(1, left))
  return (others or 1) > ENOUGH and -1 or left
end
