-- start: marks executions as begun, in their lease: all of a call in one write. What was begun is told from what was only claimed by this
-- mark alone. The hash of most jobs is not touched: who looks at one of them has its start shown there (ADR 0019).
local lease = ARGV[1] .. ':' .. ARGV[2]
local answers, begun = {}, {}

-- Answers whether it may begin.
local function begin_shown(member)
  local id, execution = split_member(member)
  local job = read(id)
  if not job or job.state ~= 'started' or job.execution ~= execution then return false end
  heed(job)
  if job.rerun == 'never' and job.attempt >= 1 then
    if broken_record() then return false end
    release(job)
    if job.gate then gates().leave(job.gate, member_of(job), job.queue) end
    conclude(job, 'failed', 'interrupted')
    return false
  end
  show_start(job, NOW)
  return true
end

local function begin(member, mark)
  if not mark then return 'no' end
  if mark ~= CLAIMED and mark ~= TO_SHOW then return 'go' end -- said before; the answer was lost
  if mark == TO_SHOW and not begin_shown(member) then return 'no' end
  begun[#begun + 1], begun[#begun + 2] = member, int(NOW)
  return 'go'
end

local members = {}
for i = 3, #ARGV, 2 do members[#members + 1] = ARGV[i] .. ':' .. ARGV[i + 1] end
local marks = marks_of(lease, members)
for i, member in ipairs(members) do answers[i] = begin(member, marks[i]) end
spread(begun, 'HSET', LEASES .. lease)
return answers
