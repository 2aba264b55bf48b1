-- What every move begins with. A move reads and checks all that it touches, then writes; it never raises, because Redis keeps
-- what a failed script wrote. So: `redis.call` only on keys whose type was checked; `try` for what only shows (RQ's displays)
-- or only hastens (wake-up tokens), where a broken key must not stop a job.
local call = redis.call

local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then return nil end
  return reply
end

-- The few numbers of a call come again and again.
local texts = {}
local function int(number)
  local text = texts[number]
  if not text then
    text = string.format('%.0f', number)
    texts[number] = text
  end
  return text
end

-- Time is Redis TIME, in ms (rule 11); it stands still while a script runs.
local NOW = (function()
  local time = call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end)()

-- The one form of a date that RQ parses (rq 3.0: utils.utcparse). Civil date from days since 1970-01-01 (proleptic Gregorian).
local dates = {}
local function utc(ms)
  if dates[ms] then return dates[ms] end
  local days = math.floor(ms / 86400000)
  local rest = ms - days * 86400000
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  dates[ms] = string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z', year, month, day, math.floor(rest / 3600000),
    math.floor(rest / 60000) % 60, math.floor(rest / 1000) % 60, rest % 1000)
  return dates[ms]
end

-- The ms of such a date, whoever wrote it; nil: it is none.
local function ms_of(date)
  local form = '^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)%.?(%d?%d?%d?)'
  local year, month, day, hour, minute, second, ms = string.match(date, form)
  if not year then return nil end
  local m, y = (month + 9) % 12, tonumber(month) > 2 and year + 0 or year - 1 -- years that begin in March
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400) + math.floor((153 * m + 2) / 5) + day - 719469
  return ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + tonumber(ms .. string.rep('0', 3 - #ms))
end

-- Counts jobs by the second, for a minute: what rates are measured by.
local function count(key, jobs)
  local second = math.floor(NOW / 1000)
  if try('HINCRBY', key, int(second), jobs) ~= jobs then return end -- not the first of this second
  for _, other in ipairs(call('HKEYS', key)) do
    if math.abs(second - (tonumber(other) or 0)) > 60 then call('HDEL', key, other) end
  end
end

-- Calls a variadic command with as many of the values at once as Lua's stack surely holds; `key` is nil where all values are keys.
local function spread(values, command, key)
  for from = 1, #values, 1000 do
    local to = math.min(from + 999, #values)
    if key then redis.pcall(command, key, unpack(values, from, to)) else redis.pcall(command, unpack(values, from, to)) end
  end
end

-- What is written once a call, not once a job: helpers and moves leave it to `later` and `settlers`, and read none of it before
-- `settle`, which every move ends with (scripts/__init__.py).
local settlers, obsolete = {}, {}

-- What sorted sets gain and lose: {key = {member, ...}}, in `ranked` with a score before each member.
local ranked, unranked = {}, {}

-- Leaves a value, or two, for a key to one of these.
local function later(lists, key, value, second)
  local values = lists[key]
  if not values then
    lists[key] = {value, second}
    return
  end
  values[#values + 1] = value
  if second then values[#values + 1] = second end
end

local function write_out(lists, command)
  for key, values in pairs(lists) do
    lists[key] = nil
    spread(values, command, key)
  end
end

local function settle()
  for _, settler in ipairs(settlers) do settler() end
  write_out(ranked, 'ZADD')
  write_out(unranked, 'ZREM')
  if obsolete[1] then
    spread(obsolete, 'DEL')
    obsolete = {}
  end
end

-- Key types, looked up once a script.
local types = {}
local function is(key, want)
  local have = types[key]
  if not have then
    have = call('TYPE', key).ok
    types[key] = have
  end
  return have == 'none' or have == want
end

-- The first key of {key, type, key, type, ...} that cannot be used as that type, or nil.
local function broken(...)
  local wants = {...}
  for i = 1, #wants, 2 do
    if not is(wants[i], wants[i + 1]) then return wants[i] end
  end
  return nil
end

-- What every move that ends or makes a job writes.
local function broken_record() return broken(OPEN, 'set', EVENTS, 'stream') end
