-- Change what the submission of a request said, while it does not run. Its order follows, and whether it waits for a time.
-- ARGV[4] rid   ARGV[5] uid that must own it, -1 for an operator   ARGV[6] checksum of its record when it was read
-- ARGV[7] due, seconds since 1970, 0 for at once; '' leaves it   ARGV[8..] field, value, ...; a value '' is unset
-- Returns its state. Errors: STALE NOREQUEST NOTOWNER STATE CHANGED LIMIT. Events: jcq:wake, jcq:ended.
local rid, due = ARGV[4], ARGV[7]
local state, queue, err = owned(rid, ARGV[5])
if err then return err end
local key = k_request(rid)
local row = redis.call('HMGET', key, 'sum', 'due_s')
local waits = due ~= '' and tonumber(due) > tonumber(ARGV[2])
local target = state
if state ~= 'HELD' and waits then target = 'WAITING' elseif state == 'WAITING' and due ~= '' then target = 'QUEUED' end
if not may('alter', state, target) then return wrong_state(rid, state) end
if (row[1] or '') ~= ARGV[6] then return fail('CHANGED', text_id(rid)) end
local who = who_is(rid)
who.before = who.limits
for i = 8, #ARGV, 2 do
  if ARGV[i] == 'limits' then who.limits = ARGV[i + 1] end
end
if who.limits ~= who.before then
  local why, what = beyond(queue, who, {})
  if why == 'LIMIT' then return fail(why, what) end
end
for i = 8, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', key, ARGV[i]) else redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
end
if due ~= '' then
  if waits then redis.call('HSET', key, 'due_s', due) else redis.call('HDEL', key, 'due_s') end
end
if target == 'WAITING' then
  wait_until(rid, state, queue, waits and due or row[2], state == 'WAITING' and due == '' and redis.call('HGET', key, 'reason') or '')
else
  if state == 'WAITING' then redis.call('HDEL', key, 'reason') end
  place(rid, state, queue, target, queue)
  if target == 'QUEUED' then route(rid, queue) end
end
promote()
return redis.call('HGET', key, 'state')
