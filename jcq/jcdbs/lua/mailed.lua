-- Mails that were handed over, or given up, are forgotten: the first of the list.
-- ARGV[4] how many   ARGV[5] the first of them as it was read: where another is the first now, nothing is forgotten
-- Returns 1. Errors: STALE. Events: none.
local err = stale_epoch()
if err then return err end
if redis.call('LINDEX', 'jcq:mail', 0) == ARGV[5] then redis.call('LTRIM', 'jcq:mail', ARGV[4], -1) end
return 1
