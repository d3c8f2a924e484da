-- What becomes of a request or queue as a whole: lost and found, mail, the end, signals, waiting, removal.

-- Whether a request stands where its record says.
local function stands(rid)
  local state, queue = where(rid)
  if not state or not queue then return false end
  if state == 'DONE' then return redis.call('ZSCORE', 'jcq:done', rid) and true end
  if state == 'QUEUED' and redis.call('ZSCORE', k_promoted(queue), rid) then return true end
  return redis.call('ZSCORE', k_in(queue, state), rid) and true
end

-- Put a damaged request into the lost-and-found: out of every queue, list and slot; its record stays as jcq:lost:<rid>.
-- Returns whether there was anything of it; `stood` says that there was.
local function lose(rid, reason, stood)
  local found = redis.call('EXISTS', k_request(rid))
  local token = redis.call('HGET', k_request(rid), 'token') or ''
  for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
    local slot = redis.call('ZREM', k_promoted(queue), rid) + redis.call('ZREM', k_in(queue, 'RUNNING'), rid)
    found = found + slot + (leave(queue, rid) and 1 or 0)
    if slot > 0 then free_slot(rid, queue) end
    for state in string.gmatch(STATES, '%S+') do found = found + redis.call('ZREM', k_in(queue, state), rid) end
    redis.call('LREM', rq_list(queue), 0, rid)
    redis.call('ZREM', 'rq:wip:' .. queue, rid .. ':' .. token)
  end
  found = found + redis.call('ZREM', 'jcq:waiting', rid) + redis.call('ZREM', 'jcq:done', rid)
  redis.call('SREM', 'jcq:slots', rid)
  redis.call('HDEL', 'jcq:kills', rid)
  local worker = redis.call('GET', 'jcq:worker')
  if worker then redis.call('SREM', 'rq:worker:' .. worker .. ':executions', rid .. ':' .. token) end
  redis.call('DEL', 'rq:job:' .. rid, 'rq:executions:' .. rid, 'rq:execution:' .. rid .. ':' .. token)
  if found == 0 and not stood then return false end
  if redis.call('EXISTS', k_request(rid)) == 1 then redis.call('RENAME', k_request(rid), k_lost(rid)) end
  redis.call('HSET', k_lost(rid), 'lost_reason', reason)
  redis.call('ZADD', 'jcq:lostfound', ARGV[2], rid)
  redis.call('PUBLISH', 'jcq:ended', rid)
  return true
end

-- A request stood where its record does not say, and is out of there: it has another place, or is damaged.
local function misplaced(rid)
  if stands(rid) then return false end
  local state = where(rid)
  return lose(rid, state and 'its record contradicts the list in which it stands' or 'it has no record', true)
end

-- Note a mail for the request's owner; nqsdaemon sends it. `field` is the option that asks for it, nil: it was not asked for, but
-- what was done to the request its owner did not do.
local function mail(rid, event, field)
  if field and redis.call('HGET', k_request(rid), field) ~= '1' then return end
  redis.call('RPUSH', 'jcq:mail', rid .. ' ' .. event .. ' ' .. ARGV[2])
  redis.call('PUBLISH', 'jcq:mailed', rid)
end

local function make_done(rid, from, queue, outcome, reason)
  place(rid, from, queue, 'DONE', queue)
  redis.call('HSET', k_request(rid), 'outcome', outcome, 'ended_s', ARGV[2])
  if reason ~= '' then redis.call('HSET', k_request(rid), 'reason', reason) end
  redis.call('ZADD', 'jcq:done', ARGV[2], rid)
  redis.call('HDEL', 'jcq:kills', rid)
  redis.call('PUBLISH', 'jcq:ended', rid)
  mail(rid, outcome, (outcome ~= 'purged' and outcome ~= 'rejected') and 'mail_end' or nil)
end

-- The worker is to send a signal to a running request, after those that were ordered before and not taken yet; SIGKILL is
-- the last of all.
local function order_signal(rid, signum)
  local before = redis.call('HGET', 'jcq:kills', rid)
  if before and not string.find(before, ':', 1, true) then
    signum = string.find(',' .. before .. ',', ',9,', 1, true) and before or before .. ',' .. signum
  end
  redis.call('HSET', 'jcq:kills', rid, signum)
  redis.call('PUBLISH', 'jcq:wake', 'kill')
end

local function wait_until(rid, from, queue, due, reason)
  place(rid, from, queue, 'WAITING', queue)
  redis.call('ZADD', 'jcq:waiting', due, rid)
  redis.call('HSET', k_request(rid), 'due_s', due, 'reason', reason)
end

-- Whether a queue holds any request.
local function holds_requests(name)
  for state in string.gmatch(STATES, '%S+') do
    if redis.call('EXISTS', k_in(name, state)) == 1 then return true end
  end
  return redis.call('EXISTS', k_promoted(name)) == 1
end

-- Forget a queue that holds no request.
local function remove_queue(name)
  redis.call('DEL', k_queue(name), rq_list(name), k_uids(name), k_used(name), k_next(name))
  redis.call('ZREM', 'jcq:queues', name)
  redis.call('SREM', 'rq:queues', rq_list(name))
  redis.call('PUBLISH', 'jcq:wake', 'queues')
end
