-- claim: pops up to `slots` ids in queue order and leases what is queued; what its gate does not let pass is kept aside. Ids of what
-- is not queued are dropped: twice in a list is harmless.
local worker, generation, slots, alone, fair = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == 'alone', ARGV[4] == 'fair'
local lease = worker .. ':' .. generation
local POPS = 1000 -- stale ids are cheap to drop, but not for ever in one script
local KEPT_ASIDE = 100 -- to keep a job aside is a third of a claim's work

if broken_record() or broken(WORKERS, 'hash', GENERATIONS .. worker, 'hash', LEASES .. lease, 'set') then
  return {'not_alive', {}}
end
if call('HEXISTS', WORKERS, worker) == 0 or call('HGET', GENERATIONS .. worker, generation) ~= 'live' then
  return {'retired', {}}
end
if call('EXISTS', ALIVE .. worker) == 0 then return {'not_alive', {}} end

local queues = {}
for i = 5, #ARGV do queues[#queues + 1] = ARGV[i] end
leave_idle(lease, queues)
if call('EXISTS', RQ_SUSPENDED) == 1 then return {'ok', {}} end

-- A broken counter is begun anew: the time is in the id as well, so that neither that, nor a lost second of AOF, nor a clock
-- stepped back repeats one.
local function execution_id()
  local number = try('INCR', EXECUTION)
  if not number then
    call('SET', EXECUTION, '1')
    number = 1
  end
  return string.format('%x-%x', NOW, number)
end

local function lease_out(job)
  job.execution, job.version, job.state = execution_id(), job.version + 1, 'started'
  local member = member_of(job)
  local now = utc(NOW)
  call('SADD', LEASES .. lease, member)
  call('HSET', job.key, 'state', 'started', 'status', 'started', 'version', int(job.version), 'execution', job.execution,
    'lease', lease, 'worker_name', worker, 'started_at', now, 'last_heartbeat', now)
  call('HDEL', job.key, 'mark')
  local seconds = string.format('%.3f', NOW / 1000)
  try('ZADD', WIP .. job.queue, '+inf', member)
  try('HSET', RQ_EXECUTION .. member, 'id', job.execution, 'job_id', job.id, 'created_at', seconds, 'last_heartbeat', seconds,
    'worker_name', worker)
  try('ZADD', RQ_EXECUTIONS .. job.id, '+inf', job.execution)
  try('SADD', RQ_WORKER .. worker .. ':executions', member)
end

-- The hash as claimed, without the outcomes and logs of earlier attempts.
local function contents(job)
  local flat = call('HGETALL', job.key)
  if job.attempt == 0 and job.run == 1 then return flat end
  local kept = {}
  for i = 1, #flat, 2 do
    if not string.find(flat[i], '^[ol]:') then
      kept[#kept + 1] = flat[i]
      kept[#kept + 1] = flat[i + 1]
    end
  end
  return kept
end

local place = alone and 'alone' or 'queue'
local jobs, pops, kept = {}, 0, 0
local awaited = open_gates()

local function take(id, queue)
  local job, why = read(id)
  if not job then
    if why == 'corrupt' then quarantine(id, queue) end
    return
  end
  if not job.state and not adopt(job) then return end
  heed(job)
  if job.state ~= 'queued' or job.queue ~= queue or (job.place or 'queue') ~= place then return end
  local state, code = doom(job)
  if state then return conclude(job, state, code) end
  if job.gate and gates().keeps(job) then
    kept = kept + 1
    return
  end
  lease_out(job)
  if job.gate then gates().enter(job.gate, member_of(job)) end
  jobs[#jobs + 1] = {id, job.execution, contents(job)}
end

-- A first queue that is never empty would starve the others: a fair claim begins with the queue whose head has waited longest, if that
-- is longer than it should.
local PATIENCE_MS = 500
local function begin_with_the_oldest()
  local longest, found = PATIENCE_MS, 1
  for number, queue in ipairs(queues) do
    local head = try('SISMEMBER', PAUSED, queue) ~= 1 and try('LINDEX', QUEUE .. queue, 0)
    local waited = head and NOW - (tonumber(try('HGET', JOB .. head, 'enqueued_ms') or '') or NOW) or 0
    if waited > longest then longest, found = waited, number end
  end
  table.insert(queues, 1, table.remove(queues, found))
end

if fair then begin_with_the_oldest() end
for _, queue in ipairs(queues) do
  local list = list_of(place, queue)
  if try('SISMEMBER', PAUSED, queue) ~= 1 and is(list, 'list') then
    while #jobs < slots and pops < POPS and kept < KEPT_ASIDE do
      local id = call('LPOP', list)
      if not id then break end
      pops = pops + 1
      take(id, queue)
    end
  end
end

if #jobs > 0 then
  if try('HGET', RQ_WORKER .. worker, 'state') ~= 'busy' and try('HEXISTS', RQ_WORKER .. worker, 'birth') == 1 then
    try('HSET', RQ_WORKER .. worker, 'state', 'busy')
  end
elseif not alone then
  for _, queue in ipairs(queues) do try('SADD', IDLE .. queue, lease) end
end
local back_in = -1 -- ms after which to claim again, whatever wakes whom
if kept == KEPT_ASIDE then back_in = 0 elseif awaited or kept > 0 then back_in = opening_in() end
return {'ok', jobs, back_in}
