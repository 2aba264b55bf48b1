-- What owners and queues hold: counted as jobs enter and leave the open set, so that limits cost no search. A broken counter counts
-- as nothing held, because no limit is worth a job.

local function write_sums(key, sums)
  for name, sum in pairs(sums) do
    if sum ~= 0 and (try('HINCRBY', key, name, int(sum)) or 1) <= 0 then try('HDEL', key, name) end
    sums[name] = nil
  end
end

-- A call pays for the owners and queues in it, not for its jobs.
local owned, weighed = {}, {}
settlers[#settlers + 1] = function()
  write_sums(OWNERS, owned)
  write_sums(BYTES, weighed)
end

-- Jobs with so many bytes of payload entered the open set, or, below 0, left it.
local function tally(owner, queue, jobs, bytes)
  owned[owner] = (owned[owner] or 0) + jobs
  weighed[queue] = (weighed[queue] or 0) + bytes
end

local function weigh(job, sign)
  tally(try('HGET', job.key, 'owner') or 'public', job.queue, sign, sign * (try('HSTRLEN', job.key, 'data') or 0))
end

-- Puts a job into the open set. The caller has checked OPEN.
local function open(job)
  if call('SADD', OPEN, job.id) == 0 then return end
  weigh(job, 1)
end
