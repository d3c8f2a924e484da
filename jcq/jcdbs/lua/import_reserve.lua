-- A conversion of an old spool takes sequence numbers; their requests, and the files that are written under their ids, are
-- its own until it is complete. What it stages stands below jcq:import and is part of nothing.
-- ARGV[4] token of the conversion   ARGV[5] first number   ARGV[6] how many
-- Returns 1. Errors: STALE IMPORT (another conversion has not been completed or cleared). Events: none.
local err = stale_epoch() or not_importing(ARGV[4])
if err then return err end
redis.call('HSET', 'jcq:import', 'token', ARGV[4])
redis.call('RPUSH', 'jcq:import:ranges', ARGV[5] .. ' ' .. ARGV[6])
return 1
