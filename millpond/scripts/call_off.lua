-- call_off: cancels the open jobs of a batch among its lines from..to, at most `limit` in a call, and takes no more lines.
local id, from, to, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not is(BATCH .. id, 'hash') or broken_record() then return {'error', 0, 0, 0} end
if not is_batch(id) then return {'gone', 0, 0, 0} end
call('HSET', BATCH .. id, 'called_off', '1')
local lines = tonumber(call('HGET', BATCH .. id, 'lines')) or 0
to = math.min(to, lines)

local ended, wished, line = 0, 0, from
while line <= to and ended + wished < limit do
  local job_id = id .. string.format('%08x', line)
  local job = call('SISMEMBER', OPEN, job_id) == 1 and read(job_id)
  if job and job.state then
    local answer = cancel(job)
    if answer == 'ok' then ended = ended + 1 elseif answer == 'wish' then wished = wished + 1 end
  end
  line = line + 1
end
return {'ok', ended, wished, line > lines and 0 or line}
