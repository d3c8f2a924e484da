-- Keep some hundred requests of a conversion ready, with the places that they will have.
-- ARGV[4] token   ARGV[5..] for each: rid, what tells its old record from every other, its line in jcq:oldids, how many
-- words follow, and these: field, value, ...
-- Returns how many. Errors: STALE IMPORT. Events: none.
local err = stale_epoch() or not_importing(ARGV[4])
if err then return err end
local i, count = 5, 0
while i <= #ARGV do
  local rid, last = ARGV[i], i + 3 + tonumber(ARGV[i + 3])
  local key = k_staged(rid)
  redis.call('DEL', key)
  redis.call('HSET', key, 'rid', rid, unpack(ARGV, i + 4, last))
  local row = redis.call('HMGET', key, 'state', 'queue', 'due_s')
  redis.call('ZADD', k_staged_in(row[2], row[1]), order_in(key), rid)
  redis.call('SADD', 'jcq:import:sets', row[2] .. ' ' .. row[1])
  if row[1] == 'WAITING' then redis.call('ZADD', 'jcq:import:waiting', row[3], rid) end
  redis.call('HSET', 'jcq:import:origins', ARGV[i + 1], rid)
  redis.call('ZADD', 'jcq:import:oldids', 0, ARGV[i + 2])
  i, count = last + 1, count + 1
end
return count
