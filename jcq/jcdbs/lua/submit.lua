-- Accept one request: it is HELD, WAITING until its time, or QUEUED; a started pipe queue hands it on at once.
-- Answering OK means that the request is in the append-only file; its script must have been synced before.
-- ARGV[4] rid   ARGV[5] sequence number   ARGV[6] queue   ARGV[7] due, seconds since 1970, 0 for at once
-- ARGV[8] '1' to hold   ARGV[9] token: the same token again submits nothing   ARGV[10..] field, value, ...
-- Returns {queue it was submitted to, its state: at submission, or now if the token was known}; and the rid that
-- has the token, where that is another one.
-- A token other than the rid is kept for the last TOKENS_KEPT submissions, so that it is known under another rid, too.
-- Errors: STALE NOQUEUE DISABLED PIPEONLY NOACCESS NOTLISTED LIMIT BADVALUE (the id is taken). Events: jcq:wake, jcq:ended.
local TOKENS_KEPT = 50000
local err = stale_epoch()
if err then return err end
local rid, seq, queue, due, token = ARGV[4], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[9]
local known = redis.call('HMGET', k_request(rid), 'submit_token', 'submitted_to', 'state')
if known[1] then
  if token ~= '' and known[1] == token then return { known[2], known[3] } end
  return fail('BADVALUE', 'request ' .. rid .. ' exists already')
end
local lasting = token ~= '' and token ~= rid
local before = lasting and redis.call('HGET', 'jcq:tokens', token)
if before then
  local first, to = string.match(before, '^(%S+) (.*)$')
  return { to, redis.call('HGET', k_request(first), 'state') or '', first }
end
local row = redis.call('HMGET', k_queue(queue), 'enabled', 'pipeonly')
if not row[1] then return fail('NOQUEUE', queue) end
if row[1] ~= '1' then return fail('DISABLED', queue) end
if row[2] == '1' then return fail('PIPEONLY', queue) end
local who = {}
for i = 10, #ARGV, 2 do who[ARGV[i]] = ARGV[i + 1] end
local why, what = refusal(queue, who)
if why then return fail(why, what) end

local state = 'QUEUED'
if ARGV[8] == '1' then state = 'HELD' elseif due > tonumber(ARGV[2]) then state = 'WAITING' end
if not may('submit', NOWHERE, state) then return fail('BADVALUE', 'state ' .. state) end
if seq > tonumber(redis.call('HGET', 'jcq:site', 'seq') or '0') then redis.call('HSET', 'jcq:site', 'seq', ARGV[5]) end
local fields = {}
for i = 10, #ARGV do fields[#fields + 1] = ARGV[i] end
redis.call('HSET', k_request(rid), 'rid', rid, 'seq', ARGV[5], 'queue', queue, 'submitted_to', queue, 'state', state,
  'submitted_s', ARGV[2], 'submit_token', token, unpack(fields))
take_limits(rid, queue)
if state == 'QUEUED' then enter(queue, rid) else redis.call('ZADD', k_in(queue, state), order_of(rid), rid) end
if due > tonumber(ARGV[2]) then redis.call('HSET', k_request(rid), 'due_s', ARGV[7]) end
if state == 'WAITING' then redis.call('ZADD', 'jcq:waiting', due, rid) end
if state == 'QUEUED' then
  route(rid, queue)
  promote()
end
if lasting then
  redis.call('HSET', 'jcq:tokens', token, rid .. ' ' .. queue)
  if redis.call('LPUSH', 'jcq:tokenorder', token) > TOKENS_KEPT then
    redis.call('HDEL', 'jcq:tokens', redis.call('RPOP', 'jcq:tokenorder'))
  end
end
return { queue, state }
