-- glance: which of many jobs that are waited for ended, are gone or, where a version is given, moved from it. Only reads: it finds
-- what a lost message did not tell (rule 14).
local answers = {}

local function moved(id, version)
  if not is(JOB .. id, 'hash') then return true end
  local seen = call('HMGET', JOB .. id, 'state', 'status', 'version')
  if not seen[2] or FINAL[seen[1]] or FINAL[seen[2]] then return true end
  return version ~= '' and version ~= seen[3]
end

for i = 1, #ARGV, 2 do
  if moved(ARGV[i], ARGV[i + 1]) then answers[#answers + 1] = ARGV[i] end
end
return answers
