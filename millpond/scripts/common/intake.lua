-- The way in, the same for every script that accepts jobs. What the jobs of one call have in common stands there once, as terms:
-- it is read and checked once, and a job's hash begins with it. What a field's absence means is not written: run 1, place queue,
-- owner public (millpond/job.py reads it so, too).

-- Reads `count` terms from ARGV[at] on; answers them and the index after them.
local function read_terms(at, count)
  local read = {}
  for number = 1, count do
    local queue, run_at, delay, expires_in = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
    local due = delay > 0 and NOW + delay or run_at
    local state = due > NOW and 'scheduled' or 'queued'
    local hash = {'state', state, 'status', state, 'version', '1', 'origin', queue, 'created_at', utc(NOW)}
    local function add(name, value) hash[#hash + 1] = name; hash[#hash + 1] = value end
    if state == 'scheduled' then
      add('run_at_ms', int(due))
    else
      add('enqueued_ms', int(NOW)); add('enqueued_at', utc(NOW))
    end
    if expires_in > 0 then add('expires_ms', int(NOW + expires_in)) end
    local front, size, owner = ARGV[at + 4] == '1', tonumber(ARGV[at + 5]), 'public'
    for i = at + 6, at + 5 + size, 2 do
      add(ARGV[i], ARGV[i + 1])
      if ARGV[i] == 'owner' then owner = ARGV[i + 1] end
    end
    read[number] = {queue = queue, owner = owner, due = due, state = state, front = front, hash = hash, ids = {}, bytes = 0,
      bad = broken_record() or broken(QUEUE .. queue, 'list', SCHEDULED .. queue, 'zset')}
    at = at + 6 + size
  end
  return read, at
end

-- Which of the ids are taken: fresh ones, the usual case, cost one command for all.
local function taken_of(ids)
  local taken, found = {}, 0
  for from = 1, #ids, 1000 do
    local names = {}
    for i = from, math.min(from + 999, #ids) do names[#names + 1] = JOB .. ids[i] end
    found = found + call('EXISTS', unpack(names))
  end
  if found > 0 then
    for _, id in ipairs(ids) do taken[id] = call('EXISTS', JOB .. id) == 1 or nil end
  end
  return taken
end

-- Writes a job's hash. To copy the first one of its terms is a third of the work, and of what goes to the append-only file.
local function write(terms, id, data)
  if #terms.ids > 0 then
    call('COPY', JOB .. terms.ids[1], JOB .. id)
    call('HSET', JOB .. id, 'data', data)
  else
    call('HSET', JOB .. id, 'data', data, unpack(terms.hash))
  end
  terms.ids[#terms.ids + 1] = id
  terms.bytes = terms.bytes + #data
end

-- Writes a job's hash and event; `admit` puts it where it waits. The caller has seen that the id is free and the terms are not bad.
local function accept(terms, id, data)
  write(terms, id, data)
  emit(id, 1, 'accepted')
end

-- Puts all that was accepted into the open set and where it waits, counts it, and wakes as many as are needed.
local function admit(all)
  local pushed, accepted = {}, 0
  for _, terms in ipairs(all) do
    local ids, queue = terms.ids, terms.queue
    if #ids > 0 then
      spread(ids, 'SADD', OPEN)
      tally(terms.owner, queue, #ids, terms.bytes)
      accepted = accepted + #ids
      if terms.state == 'scheduled' then
        for _, id in ipairs(ids) do call('ZADD', SCHEDULED .. queue, terms.due / 1000, id) end
      else
        spread(ids, terms.front and 'LPUSH' or 'RPUSH', QUEUE .. queue)
        pushed[queue] = (pushed[queue] or 0) + #ids
      end
      try('SADD', RQ_QUEUES, QUEUE .. queue)
    end
  end
  for queue, jobs in pairs(pushed) do wake(queue, jobs) end
  if accepted > 0 then count(ACCEPTED, accepted) end
end
