-- resume: claims may take from the queue again; who sleeps on it is woken.
local changed = try('SREM', PAUSED, ARGV[1]) or 0
wake(ARGV[1], try('LLEN', QUEUE .. ARGV[1]) or 0)
return changed
