-- heartbeat: beats + 1, liveness for 3.5 s. Of a worker that is not listed it sets nothing and answers unknown.
local worker = ARGV[1]
if not is(WORKERS, 'hash') or call('HEXISTS', WORKERS, worker) == 0 then return {'unknown', 0} end
try('HINCRBY', BEATS, worker, 1)
call('SET', ALIVE .. worker, '1', 'PX', 3500)
local alone = 0
for _, name in ipairs(queues_of(worker)) do alone = alone + (try('LLEN', ALONE .. name) or 0) end
if try('HEXISTS', RQ_WORKER .. worker, 'birth') ~= 1 then return {'faded', alone} end
try('HSET', RQ_WORKER .. worker, 'last_heartbeat', utc(NOW))
try('EXPIRE', RQ_WORKER .. worker, 15)
return {'ok', alone}
