-- Order SIGTERM for running requests of one queue, and SIGKILL for the same attempts at a later time: due.lua orders it,
-- whoever is still there then. What does not run in that queue any more is passed over.
-- ARGV[4] queue   ARGV[5] time of SIGKILL, seconds since 1970   ARGV[6..] rids, at most some hundred
-- Returns how many were ordered. Errors: STALE. Events: jcq:wake.
local err = stale_epoch()
if err then return err end
local count = 0
for i = 6, #ARGV do
  local rid = ARGV[i]
  local state, queue = where(rid)
  if state and queue == ARGV[4] and may('kill', state, 'RUNNING') then
    order_signal(rid, SIGTERM)
    redis.call('ZADD', 'jcq:killtimes', ARGV[5], rid .. ':' .. (redis.call('HGET', k_request(rid), 'attempt') or '0'))
    count = count + 1
  end
end
return count
