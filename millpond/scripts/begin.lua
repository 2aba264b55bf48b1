-- begin: the counter of a batch's lines: a new one, or that of an earlier upload with this Idempotency-Key.
local id, digest, key_s, keep_s = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local entry = BATCH_KEY .. digest

if digest ~= '' then
  if not is(entry, 'string') then return {'error', entry} end
  local earlier = call('GET', entry)
  if earlier and is_batch(earlier) then return {'known', earlier, counter(earlier)} end
end
if not is(BATCH .. id, 'none') then return {'taken', id} end
-- As long as its key is known, and the records of its jobs are kept.
local kept = keep_s > 0 and math.max(keep_s, key_s) or 0
call('HSET', BATCH .. id, 'lines', '0', 'created_ms', int(NOW), 'keep_s', int(kept))
let_rest(id)
if digest ~= '' then call('SET', entry, id, 'EX', int(key_s)) end
return {'begun', id, counter(id)}
