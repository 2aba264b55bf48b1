-- What came under which Idempotency-Key: digest -> raw id and body digest. No other move touches it, so a repeat finds its job by
-- id also after it was recorded and forgotten. Redis keeps a small hash as one block: 45 to 65 B a key, where a large one takes 130.
-- So keys are spread over 2^8 hashes, each of which says when it is full ('+'): then what belongs there is in the next level, of 2^12,
-- 2^16 ... All of it is made anew every eight hours, so that old hashes expire whole, and a search asks few.
local SLOT_MS, FULL = 8 * 3600000, 64
local SLOT = math.floor(NOW / SLOT_MS)

local prefixes = {}
local function hash_of(slot, level, number)
  local prefix = prefixes[slot * 8 + level]
  if not prefix then
    prefix = IDEMPOTENCY .. int(slot) .. ':' .. level .. ':'
    prefixes[slot * 8 + level] = prefix
  end
  return prefix .. number % 2 ^ (8 + 4 * level)
end

-- The entry under a digest of at most so many slots ago, or nil and the hash that it belongs into now; and that again if it is
-- none (to read it is to check its type: a call less).
local function recall(digest, slots)
  local a, b, c = string.byte(digest, 1, 3)
  local number, home, bad = a * 65536 + b * 256 + c, nil, nil
  for slot = SLOT, SLOT - slots, -1 do
    local level, found = 0, nil
    repeat
      local hash = hash_of(slot, level, number)
      found = redis.pcall('HMGET', hash, digest, '+')
      if found[1] then return found[1] end
      if not found[2] and not home then home, bad = hash, found.err and hash end
      level = level + 1
    until not found[2]
  end
  return nil, home, bad
end

local function slots_in(hours) return math.ceil(hours * 3600000 / SLOT_MS) end

-- `hash` is what `recall` found good.
local function remember(hash, digest, entry, hours)
  call('HSET', hash, digest, entry)
  local size = call('HLEN', hash)
  if size == 1 then call('EXPIRE', hash, math.ceil((SLOT_MS - NOW % SLOT_MS) / 1000) + hours * 3600) end
  if size == FULL then call('HSET', hash, '+', '') end
end

local function id_in(entry)
  return (string.gsub(string.sub(entry, 1, 16), '.', function(byte) return string.format('%02x', string.byte(byte)) end))
end

local function body_in(entry) return string.sub(entry, 17) end
