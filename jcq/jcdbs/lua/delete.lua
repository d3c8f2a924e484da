-- Delete a request that does not run.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator
-- Returns 1. Errors: STALE NOREQUEST NOTOWNER STATE. Events: jcq:ended, jcq:mailed, jcq:wake.
local rid = ARGV[4]
local state, queue, err = owned(rid, ARGV[5])
if err then return err end
if not may('delete', state, 'DONE') then return wrong_state(rid, state) end
make_done(rid, state, queue, 'deleted', '')
promote()
return 1
