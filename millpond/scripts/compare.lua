-- compare: reads, and only reads, what a generation holds, the wishes on it, and whether work waits (rule 4).
local worker, generation, alone = ARGV[1], ARGV[2], ARGV[3] == '1'
local lease = worker .. ':' .. generation
local live = try('HEXISTS', WORKERS, worker) == 1 and try('HGET', GENERATIONS .. worker, generation) == 'live'
local idle, waiting = 0, 0
for i = 4, #ARGV do
  local others = (try('SCARD', IDLE .. ARGV[i]) or 0) - (try('SISMEMBER', IDLE .. ARGV[i], lease) or 0)
  idle = math.max(idle, others)
  waiting = waiting + (try('LLEN', list_of(alone and 'alone' or 'queue', ARGV[i])) or 0)
end
waiting = waiting + (try('ZCOUNT', OPENS, '-inf', int(NOW)) or 0)

local function wish_of(id)
  if not is(JOB .. id, 'hash') then return 'cancel' end
  local seen = call('HMGET', JOB .. id, 'status', 'wish')
  if not seen[1] then return 'cancel' end -- deleted by a tool: nobody can want its outcome
  if seen[2] then return seen[2] end
  return seen[1] == 'canceled' and 'cancel' or seen[1] == 'stopped' and 'stop' or ''
end

-- A broken key must not read as "you hold nothing".
local members = try('HKEYS', LEASES .. lease)
if not members then return {live and 1 or 0, idle, false, waiting} end
local held = {}
for _, member in ipairs(members) do
  local id, execution = split_member(member)
  if id then held[#held + 1] = {id, execution, wish_of(id)} end
end
return {live and 1 or 0, idle, held, waiting}
