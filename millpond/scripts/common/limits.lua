-- Limits: how much a queue, an owner and Redis's memory still take. Read once a call; what the call itself adds is taken off, so that
-- no call passes a limit. Only memory may be passed, by what one call brings.

local UNLIMITED = 1e15
local allowed = {queue_jobs = UNLIMITED, queue_bytes = UNLIMITED, owner_jobs = UNLIMITED, memory = 0}
local queue_rooms, owner_rooms, memory_full = {}, {}, nil

-- Reads the limits from ARGV[at] on, 0 for none, memory in thousandths of maxmemory; answers the index after them.
local function read_limits(at)
  for i, name in ipairs({'queue_jobs', 'queue_bytes', 'owner_jobs', 'memory'}) do
    local limit = tonumber(ARGV[at + i - 1])
    if limit > 0 then allowed[name] = limit end
  end
  return at + 4
end

-- INFO costs a script 30 us, so it is asked once. What replicas and the append-only file buffer, maxmemory does not count.
local function is_memory_full()
  local told = allowed.memory > 0 and try('INFO', 'memory')
  if not told then return false end
  local function figure(name) return tonumber(string.match(told, '\n' .. name .. ':(%d+)') or '0') end
  local max = figure('maxmemory')
  return max > 0 and figure('used_memory') - figure('mem_not_counted_for_evict') >= max * allowed.memory / 1000
end

local function waiting(queue)
  return (try('LLEN', QUEUE .. queue) or 0) + (try('LLEN', ALONE .. queue) or 0) + (try('ZCARD', SCHEDULED .. queue) or 0)
    + (try('ZCARD', ASIDE .. queue) or 0)
end

-- A queue in which nothing waits or runs holds nothing, whatever was miscounted.
local function held_bytes(queue)
  local held = tonumber(try('HGET', BYTES, queue) or '') or 0
  if held >= allowed.queue_bytes and waiting(queue) + (try('ZCARD', WIP .. queue) or 0) == 0 then return 0 end
  return held
end

local function queue_room(queue)
  if not queue_rooms[queue] then
    queue_rooms[queue] = {
      jobs = allowed.queue_jobs < UNLIMITED and allowed.queue_jobs - waiting(queue) or UNLIMITED,
      bytes = allowed.queue_bytes < UNLIMITED and allowed.queue_bytes - held_bytes(queue) or UNLIMITED,
    }
  end
  return queue_rooms[queue]
end

local function owner_room(owner)
  if not owner_rooms[owner] then
    local quota = allowed.owner_jobs < UNLIMITED
    owner_rooms[owner] = {jobs = quota and allowed.owner_jobs - (tonumber(try('HGET', OWNERS, owner) or '') or 0) or UNLIMITED}
  end
  return owner_rooms[owner]
end

-- The policy that refuses one more job of these terms, or nil: then there is room for one less.
local function refusal(terms, bytes)
  terms.room = terms.room or {owner = owner_room(terms.owner), queue = queue_room(terms.queue)}
  local owner, queue = terms.room.owner, terms.room.queue
  if owner.jobs < 1 then return 'open-jobs' end
  if queue.jobs < 1 then return 'queue-jobs' end
  if queue.bytes < bytes then return 'queue-bytes' end
  if memory_full == nil then memory_full = is_memory_full() end
  if memory_full then return 'redis-memory' end
  owner.jobs, queue.jobs, queue.bytes = owner.jobs - 1, queue.jobs - 1, queue.bytes - bytes
  return nil
end

-- What is left of the quotas of the owners in this call, {owner, jobs, ...}.
local function quotas_left(all)
  local left = {}
  if allowed.owner_jobs == UNLIMITED then return left end
  for _, terms in ipairs(all) do
    left[#left + 1] = terms.owner
    left[#left + 1] = math.max(0, owner_room(terms.owner).jobs)
  end
  return left
end
