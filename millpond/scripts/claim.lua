-- claim: pops ids for `free` slots, and `ahead` more where nobody else is idle, in queue order, and leases what is queued; what its gate does not let
-- pass is kept aside. Ids of what is not queued are dropped: twice in a list is harmless.
local worker, generation, free, alone, fair = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5] == 'alone', ARGV[5] == 'fair'
local ahead, lease = tonumber(ARGV[4]), worker .. ':' .. generation
local POPS = 1000 -- stale ids are cheap to drop, but not for ever in one script
local KEPT_ASIDE = 100 -- to keep a job aside is a third of a claim's work

-- The fewer commands, the less a claim of one job costs: of a broken key `try` answers nil, of what is not there false or 0.
local listed, word = try('HEXISTS', WORKERS, worker), try('HGET', GENERATIONS .. worker, generation)
if listed == nil or word == nil or broken_record() or broken(LEASES .. lease, 'hash') then return {'not_alive'} end
if listed == 0 or word ~= 'live' then return {'retired'} end
if call('EXISTS', ALIVE .. worker) == 0 then return {'not_alive'} end

local queues = {}
for i = 6, #ARGV do queues[#queues + 1] = ARGV[i] end
leave_idle(lease, queues)
local slots = ahead > 0 and not any_idle(queues) and free + ahead or free
if call('EXISTS', RQ_SUSPENDED) == 1 then return {'ok'} end

-- The first of `count` new numbers. A broken counter is begun anew: the time is in the id as well, so that neither that, nor a lost
-- second of AOF, nor a clock stepped back repeats one.
local function numbers(count)
  local last = try('INCRBY', EXECUTION, count)
  if not last then
    call('SET', EXECUTION, count)
    last = count
  end
  return last - count + 1
end

-- What this lease has gained: executions and their marks.
local leased = {}
settlers[#settlers + 1] = function() spread(leased, 'HSET', LEASES .. lease) end

local moment = string.format('%x-', NOW)
local function lease_out(job, number)
  job.execution, job.version, job.state = moment .. string.format('%x', number), job.version + 1, 'started'
  local member = member_of(job)
  call('HSET', job.key, 'state', 'started', 'status', 'started', 'version', int(job.version), 'execution', job.execution,
    'lease', lease, 'worker_name', worker)
  if job.mark then call('HDEL', job.key, 'mark') end
  leased[#leased + 1], leased[#leased + 2] = member, claimed_mark(job)
  later(ranked, WIP .. job.queue, '+inf', member)
end

-- A worker is told of each job by a row: its id, its execution, then its fields, in columns whose names are told once a call. What a
-- worker has no use for has no column: it is half of a hash.
local names = {}
local COLUMN = {
  state = false, status = false, version = false, origin = false, created_at = false, created_ms = false, enqueued_at = false,
  started_at = false, ended_at = false, description = false, place = false, execution = false, lease = false,
  worker_name = false, last_heartbeat = false, mark = false, last_execution = false, progress = false, waiters = false, watchers = false,
  task = false,
}
local function add_column(name)
  local is_past = string.find(name, '^[ol]:') -- an earlier attempt's outcome or log
  if not is_past then names[#names + 1] = name end
  COLUMN[name] = not is_past and #names + 2
  return COLUMN[name]
end

local function told(job, flat)
  local row = {job.id, job.execution, false, false, false, false} -- as many columns as most jobs have
  for i = 1, #flat, 2 do
    local name = flat[i]
    local column = COLUMN[name]
    if column == nil then column = add_column(name) end
    if column then row[column] = flat[i + 1] end
  end
  if job.expires_ms then row[COLUMN.left_ms or add_column('left_ms')] = int(job.expires_ms - NOW) end -- of its life, when it was claimed
  for column = 3, #names + 2 do
    if row[column] == nil then row[column] = false end -- or the row would end there
  end
  return row
end

local place = alone and 'alone' or 'queue'
local jobs, pops, kept = {}, 0, 0
local awaited = open_gates()

local function take(id, queue, number)
  local job, flat = read_all(id)
  if not job then
    if flat == 'corrupt' then quarantine(id, queue) end
    return
  end
  local version = job.version
  if not job.state and not adopt(job) then return end
  heed(job)
  if job.state ~= 'queued' or job.queue ~= queue or (job.place or 'queue') ~= place then return end
  local state, code = doom(job)
  if state then return conclude(job, state, code) end
  if job.gate and gates().keeps(job) then
    kept = kept + 1
    return
  end
  if job.version ~= version then flat = call('HGETALL', job.key) end -- a tool's move was made ours just now
  lease_out(job, number)
  if job.gate then gates().enter(job.gate, member_of(job)) end
  jobs[#jobs + 1] = told(job, flat)
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
  if try('SISMEMBER', PAUSED, queue) ~= 1 then
    while #jobs < slots and pops < POPS and kept < KEPT_ASIDE do
      local ids = try('LPOP', list, math.min(slots - #jobs, POPS - pops, KEPT_ASIDE - kept))
      if not ids then break end
      pops = pops + #ids
      local first = numbers(#ids)
      for i, id in ipairs(ids) do take(id, queue, first + i - 1) end
    end
  end
end

if #jobs > 0 then
  if try('HGET', RQ_WORKER .. worker, 'state') ~= 'busy' and try('HEXISTS', RQ_WORKER .. worker, 'birth') == 1 then
    try('HSET', RQ_WORKER .. worker, 'state', 'busy')
  end
end
if #jobs < free and not alone then -- it took all there was
  for _, queue in ipairs(queues) do try('SADD', IDLE .. queue, lease) end
end
local back_in = -1 -- ms after which to claim again, whatever wakes whom
if kept == KEPT_ASIDE or pops >= POPS then back_in = 0 elseif awaited or kept > 0 then back_in = opening_in() end
return {'ok', names, jobs, back_in}
