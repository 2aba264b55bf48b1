-- begin: the counter of a batch's lines: a new one, or that of an earlier upload with this Idempotency-Key.
local id, digest, hours, keep_s = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local MARK = 'batch' -- stands where a job's entry has the digest of its body: a key is for one job or for one batch

local function begin()
  if broken(BATCH .. id, 'none') then return {'taken', id} end
  local bad = digest ~= '' and broken(bucket_now(), 'hash')
  if bad then return {'error', bad} end
  if digest ~= '' then remember(digest, id .. '00000000', MARK, hours) end
  -- As long as its key is known, and the records of its jobs are kept.
  local kept = keep_s > 0 and math.max(keep_s, (hours + 2) * 3600) or 0
  call('HSET', BATCH .. id, 'lines', '0', 'digest', '', 'created_ms', int(NOW), 'keep_s', int(kept))
  types[BATCH .. id] = 'hash'
  rest(id)
  return {'begun', id, counter(id)}
end

local line, mark
if digest ~= '' then line, mark = known(digest, hours) end
if not line then return begin() end
if mark ~= MARK then return {'mismatch', ''} end
id = string.sub(line, 1, 24)
if not is_batch(id) then return {'error', BATCH .. id} end
return {'known', id, counter(id)}
