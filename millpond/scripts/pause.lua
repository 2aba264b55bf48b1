-- pause: no claim takes from the queue until resume.
if not is(PAUSED, 'set') then call('DEL', PAUSED) end
return call('SADD', PAUSED, ARGV[1])
