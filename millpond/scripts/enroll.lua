-- enroll: makes the collectors' group, from the first event on; 1 if there was none. A full Redis refuses the bare command, and would
-- never be drained.
if not is(EVENTS, 'stream') then return 0 end
return try('XGROUP', 'CREATE', EVENTS, ARGV[1], '0', 'MKSTREAM') and 1 or 0
