-- reconcile: looks whether open jobs are in the one place where they must be, and repairs (rule 7). A slice a call.
local cursor, count, searches = ARGV[1], ARGV[2], tonumber(ARGV[3])
local UNRECORDED_MS = 10000 -- a final job waits this long for its collector before its event is sent again
local DOUBTFUL_MS = 30000 -- a queued job is looked for in a list only after this long
local BACKLOG = 1000 -- with so many events unrecorded (the database may be down) none is sent again: most are among them
local AUDITED = 10 -- turns of a gate, in one call
local repairs = {}

if not is(RESENT, 'zset') then
  call('DEL', RESENT) -- it only spaces the events out
  types[RESENT] = 'none'
end
if broken_record() or broken(WORKERS, 'hash') then return {0, 0, {}} end

local function repaired(kind) repairs[kind] = (repairs[kind] or 0) + 1 end

local function send_again(id, version, kind)
  if call('XLEN', EVENTS) >= BACKLOG then return end
  local last = tonumber(call('ZSCORE', RESENT, id) or '') or 0
  if NOW - last < UNRECORDED_MS and last <= NOW then return end
  call('ZADD', RESENT, int(NOW), id)
  emit(id, version, kind)
  repaired(kind)
end

local function older_than_head(job, list)
  local head = call('LINDEX', list, 0)
  if not head then return true end
  local enqueued = is(JOB .. head, 'hash') and tonumber(call('HGET', JOB .. head, 'enqueued_ms') or '')
  return not enqueued or (job.enqueued_ms or 0) < enqueued
end

local audited = {}

-- Whether an execution is over without having left. Of a job that was deleted while it ran, its own finish says when.
local function is_over(member)
  local id, execution = split_member(member)
  local job = id and read(id)
  if job then return job.execution ~= execution end
  return call('HEXISTS', TURNS, member) == 0
end

-- A gate with room before which jobs are held has lost a turn; answers whether any of them goes on.
local function audit(gate)
  if audited[gate.key] then return false end
  audited[gate.key] = true
  if gates().audit(gate, AUDITED, is_over) == 0 then return false end
  repaired('called_up')
  return true
end

local function check_queued(job)
  local list = place_of(job)
  if not is(list, 'list') then return end
  local state, code = doom(job)
  if state then
    if call('LLEN', list) < 10000 then call('LREM', list, 0, job.id) end
    conclude(job, state, code)
    return repaired(state)
  end
  if call('LLEN', list) > 0 then
    if job.place == 'held' and audit(job.gate) then return end
    if NOW - (job.enqueued_ms or 0) < DOUBTFUL_MS or not older_than_head(job, list) or searches <= 0 then return end
    searches = searches - 1
    if call('LPOS', list, job.id) then return end
  end
  if job.place == 'held' then
    gates().step_out(job)
    job.place = home(job)
  end
  push(job, job.place or 'queue', true)
  repaired('pushed')
end

local function check_scheduled(job)
  local key = SCHEDULED .. job.queue
  if not is(key, 'zset') then return end
  local state, code = doom(job)
  if state then
    call('ZREM', key, job.id)
    conclude(job, state, code)
    repaired(state)
  else
    if not call('ZSCORE', key, job.id) then
      call('ZADD', key, (job.run_at_ms or NOW) / 1000, job.id)
      repaired('scheduled')
    end
    -- promote walks the listed queues; RQ strikes one off when a tool deletes it (rq 3.0: queue.py `delete`).
    if try('SADD', RQ_QUEUES, QUEUE .. job.queue) == 1 then repaired('listed') end
  end
end

local function check_started(job)
  local worker, generation = split_member(job.lease)
  if worker and broken(GENERATIONS .. worker, 'hash', LEASES .. job.lease, 'hash') then return end
  local word = worker and call('HEXISTS', WORKERS, worker) == 1 and call('HGET', GENERATIONS .. worker, generation)
  local held = word and call('HEXISTS', LEASES .. job.lease, member_of(job)) == 1
  if not word or (word == 'ended' and not held) then
    if broken_home(job) then return end
    give_back(job, 'lost')
    return repaired('taken_back')
  end
  if not held then
    call('HSET', LEASES .. job.lease, member_of(job), job.mark and int(ms_of(job.started_at or '') or NOW) or claimed_mark(job))
    repaired('leased')
  end
  if try('ZADD', WIP .. job.queue, '+inf', member_of(job)) == 1 then repaired('shown') end
end

local function check(id)
  local job, why = read(id)
  if not job then
    if why == 'corrupt' then quarantine(id, '') end
    return send_again(id, 0, why)
  end
  if not job.state and not adopt(job) then
    quarantine(id, '')
    return send_again(id, 0, 'corrupt')
  end
  local version = job.version
  heed(job)
  if job.version ~= version then repaired('heeded') end
  if job.state == 'queued' then check_queued(job)
  elseif job.state == 'scheduled' then check_scheduled(job)
  elseif job.state == 'started' then check_started(job)
  elseif NOW - (ms_of(job.ended_at or '') or 0) > UNRECORDED_MS then send_again(id, job.version, 'resent') end
end

local page = call('SSCAN', OPEN, cursor, 'COUNT', count)
for _, id in ipairs(page[2]) do check(id) end
local flat = {}
for kind, number in pairs(repairs) do
  flat[#flat + 1] = kind
  flat[#flat + 1] = int(number)
end
return {page[1], #page[2], flat}
