-- Shared by every script: names, the transition table, epoch check, queue membership, routing, promotion.
-- The first three arguments of every changing script are
--   ARGV[1] epoch of the caller     ARGV[2] now, seconds since 1970     ARGV[3] the same moment as rq writes it
-- Keys are derived here (single-node server). Errors are returned, never raised: "CODE detail" (jcq/errors.py).
-- Neither server rolls a failed script back: every body validates first and writes last.

--@TRANSITIONS@

local function fail(code, detail)
  return redis.error_reply(code .. ' ' .. detail)
end

local function k_queue(name) return 'jcq:queue:' .. name end
local function k_in(name, state) return 'jcq:in:' .. name .. ':' .. state end
local function k_promoted(name) return 'jcq:promoted:' .. name end
local function k_request(rid) return 'jcq:request:' .. rid end
local function k_lost(rid) return 'jcq:lost:' .. rid end
local function k_complex(name) return 'jcq:complex:' .. name end
local function rq_list(name) return 'rq:queue:' .. name end

local function stale_epoch()
  local now = redis.call('GET', 'jcq:epoch')
  if not now or now ~= ARGV[1] then
    return fail('STALE', ARGV[1] .. ', now ' .. (now or 'none'))
  end
end

local function text_id(rid)
  local row = redis.call('HMGET', k_request(rid), 'seq', 'site')
  return (row[1] or rid) .. '.' .. (row[2] or '')
end

-- state, queue; nil when there is no such request
local function where(rid)
  local row = redis.call('HMGET', k_request(rid), 'state', 'queue')
  return row[1], row[2]
end

local function may(event, from, to)
  return string.find(TRANSITIONS, ' ' .. event .. ':' .. from .. '>' .. to .. ' ', 1, true) ~= nil
end

local function wrong_state(rid, state)
  return fail('STATE', text_id(rid) .. ' is ' .. string.lower(state) .. '.')
end

local function not_owner(rid, uid)
  if uid ~= '-1' and redis.call('HGET', k_request(rid), 'uid') ~= uid then
    return fail('NOTOWNER', text_id(rid))
  end
end

-- What a person asks about a request begins so: state, queue; or nil, nil and the error to return.
local function owned(rid, uid)
  local err = stale_epoch()
  if err then return nil, nil, err end
  local state, queue = where(rid)
  if not state or not queue then return nil, nil, fail('NOREQUEST', rid) end
  return state, queue, not_owner(rid, uid)
end

-- Higher request priority first, then what was interrupted, then the older sequence number. Exact in a double.
-- A damaged record must not keep the others from their places.
local function order_in(key)
  local row = redis.call('HMGET', key, 'priority', 'seq', 'rerun')
  local priority = tonumber(row[1] or '') or PRIORITY_DEFAULT
  local after = row[3] == '1' and 0 or 5e11
  return string.format('%.0f', (63 - priority) * 1e12 + after + (tonumber(row[2] or '') or 0))
end

local function order_of(rid) return order_in(k_request(rid)) end

-- A request as the worker is given it: what it stands under, and its record.
local function record(rid) return { rid, redis.call('HGETALL', k_request(rid)) } end

-- A queue with a user limit keeps an index, so that one user's 100,000 requests are not looked through for another's:
-- of each uid its QUEUED requests that are not promoted and the number of its slots, and of the uids that are below the
-- limit their best request. A queue without a user limit has none of it.
local function k_mine(queue, uid) return 'jcq:mine:' .. queue .. ':' .. uid end
local function k_uids(queue) return 'jcq:uids:' .. queue end
local function k_used(queue) return 'jcq:used:' .. queue end
local function k_next(queue) return 'jcq:next:' .. queue end

local function user_limit(queue) return tonumber(redis.call('HGET', k_queue(queue), 'user_limit') or '0') end
local function owner_of(rid) return redis.call('HGET', k_request(rid), 'uid') or '-1' end

local function rank(queue, uid, limit)
  local best = redis.call('ZRANGE', k_mine(queue, uid), 0, 0, 'WITHSCORES')
  redis.call(best[2] and 'SADD' or 'SREM', k_uids(queue), uid)
  if best[2] and tonumber(redis.call('HGET', k_used(queue), uid) or '0') < limit then
    redis.call('ZADD', k_next(queue), best[2], uid)
  else
    redis.call('ZREM', k_next(queue), uid)
  end
end

-- A request enters the QUEUED ones of a queue that are not promoted, or leaves them; returns whether it was there.
local function enter(queue, rid)
  local order, limit = order_of(rid), user_limit(queue)
  redis.call('ZADD', k_in(queue, 'QUEUED'), order, rid)
  if limit > 0 then
    local uid = owner_of(rid)
    redis.call('ZADD', k_mine(queue, uid), order, rid)
    rank(queue, uid, limit)
  end
end

local function leave(queue, rid)
  if redis.call('ZREM', k_in(queue, 'QUEUED'), rid) == 0 then return false end
  local limit = user_limit(queue)
  if limit > 0 then
    local uid = owner_of(rid)
    redis.call('ZREM', k_mine(queue, uid), rid)
    rank(queue, uid, limit)
  end
  return true
end

-- Count the slots of a request's owner.
local function count_slot(queue, rid, by)
  local limit = user_limit(queue)
  if limit == 0 then return end
  local uid = owner_of(rid)
  if redis.call('HINCRBY', k_used(queue), uid, by) <= 0 then redis.call('HDEL', k_used(queue), uid) end
  rank(queue, uid, limit)
end

local function take_slot(rid, queue)
  if redis.call('SADD', 'jcq:slots', rid) == 1 then count_slot(queue, rid, 1) end
end

local function free_slot(rid, queue)
  if redis.call('SREM', 'jcq:slots', rid) == 1 then count_slot(queue, rid, -1) end
end

-- Make a queue's index anew: its user limit has changed, or a run begins.
local function index(queue)
  for _, uid in ipairs(redis.call('SMEMBERS', k_uids(queue))) do redis.call('DEL', k_mine(queue, uid)) end
  redis.call('DEL', k_uids(queue), k_used(queue), k_next(queue))
  local limit, uids = user_limit(queue), {}
  if limit == 0 then return end
  for _, key in ipairs({ k_promoted(queue), k_in(queue, 'RUNNING') }) do
    for _, rid in ipairs(redis.call('ZRANGE', key, 0, -1)) do
      if redis.call('SISMEMBER', 'jcq:slots', rid) == 1 then redis.call('HINCRBY', k_used(queue), owner_of(rid), 1) end
    end
  end
  local rows = redis.call('ZRANGE', k_in(queue, 'QUEUED'), 0, -1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    local uid = owner_of(rows[i])
    redis.call('ZADD', k_mine(queue, uid), rows[i + 1], rows[i])
    uids[uid] = true
  end
  for uid in pairs(uids) do rank(queue, uid, limit) end
end

-- Take the next request that may be promoted out of a queue with a user limit: {rid, order}, or {}.
local function pop_next(queue, limit)
  while true do
    local uid = redis.call('ZRANGE', k_next(queue), 0, 0)[1]
    if not uid then return {} end
    local popped = redis.call('ZPOPMIN', k_mine(queue, uid))
    rank(queue, uid, limit)
    -- What the index had too much, because a record is damaged, is gone with this.
    if popped[1] and redis.call('ZREM', k_in(queue, 'QUEUED'), popped[1]) == 1 then return popped end
  end
end

-- Take a promoted request out of rq's list and free its slot; it stays QUEUED.
local function demote(rid, queue)
  if redis.call('ZREM', k_promoted(queue), rid) == 1 then
    redis.call('LREM', rq_list(queue), 1, rid)
    free_slot(rid, queue)
    redis.call('HDEL', k_request(rid), 'promoted')
    redis.call('DEL', 'rq:job:' .. rid)
    enter(queue, rid)
  end
end

local function demote_all(queue)
  for _, rid in ipairs(redis.call('ZRANGE', k_promoted(queue), 0, -1)) do demote(rid, queue) end
end

-- Write a state and the membership that goes with it. The caller has asked may().
local function place(rid, from, queue, to, to_queue)
  if from == 'QUEUED' then demote(rid, queue) end
  if from == 'QUEUED' then leave(queue, rid) else redis.call('ZREM', k_in(queue, from), rid) end
  if from == 'WAITING' then redis.call('ZREM', 'jcq:waiting', rid) end
  if to == 'QUEUED' then
    enter(to_queue, rid)
  elseif to ~= 'DONE' then
    redis.call('ZADD', k_in(to_queue, to), order_of(rid), rid)
  end
  redis.call('HSET', k_request(rid), 'state', to, 'queue', to_queue)
end

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

-- Why a queue does not accept the requests of a uid and gid: the code of the error; nil where it does.
local function barred(name, uid, gid)
  local row = redis.call('HMGET', k_queue(name), 'restricted', 'users', 'groups')
  if row[1] ~= '1' then return nil end
  local users, groups = row[2] or '', row[3] or ''
  if users == '' and groups == '' then return 'NOACCESS' end
  local listed = string.find(users .. ',', ':' .. uid .. ',', 1, true) or string.find(groups .. ',', ':' .. gid .. ',', 1, true)
  return not listed and 'NOTLISTED' or nil
end

-- A started pipe queue hands a QUEUED request on: to the first destination that accepts it; to a later try where
-- one is only disabled, until it has waited so for the site's retry time; else it is rejected. Only these waits count:
-- a time for which the queue, or the site, was stopped does not. Destinations may be pipe queues themselves, eight deep.
local function route(rid, queue)
  for depth = 1, 9 do
    local row = redis.call('HMGET', k_queue(queue), 'type', 'started', 'destinations')
    if row[1] ~= 'PIPE' or row[2] ~= '1' then return end
    place(rid, 'QUEUED', queue, 'ROUTING', queue)
    if depth == 9 then
      make_done(rid, 'ROUTING', queue, 'rejected', 'its pipe queues form a circle, or are more than 8')
      return
    end
    local taken, later, closed = nil, nil, nil
    local owner = redis.call('HMGET', k_request(rid), 'uid', 'gid')
    for name in string.gmatch(row[3] or '', '[^,]+') do
      local enabled = redis.call('HGET', k_queue(name), 'enabled')
      if enabled and barred(name, owner[1] or '', owner[2] or '') then
        closed = closed or name
      elseif enabled == '1' then
        taken = name
        break
      elseif enabled then
        later = later or name
      end
    end
    if taken then
      place(rid, 'ROUTING', queue, 'QUEUED', taken)
      redis.call('HDEL', k_request(rid), 'retried_s')
      queue = taken
    elseif later then
      local times = redis.call('HMGET', 'jcq:site', 'retry_wait_s', 'retry_time_s')
      local wait_s = tonumber(times[1] or RETRY_WAIT_S)
      local retried_s = tonumber(redis.call('HGET', k_request(rid), 'retried_s') or '0') or 0
      if retried_s >= tonumber(times[2] or RETRY_TIME_S) then
        make_done(rid, 'ROUTING', queue, 'rejected',
          string.format('destination %s was disabled for %.0f minutes of retries', later, retried_s / 60))
        return
      end
      redis.call('HSET', k_request(rid), 'retried_s', string.format('%.0f', retried_s + wait_s))
      wait_until(rid, 'ROUTING', queue, string.format('%.3f', tonumber(ARGV[2]) + wait_s),
        'destination ' .. later .. ' is disabled')
      return
    else
      make_done(rid, 'ROUTING', queue, 'rejected', 'queue ' .. queue .. ' has no destination that takes it'
        .. (closed and '; the access list of ' .. closed .. ' names neither user nor group' or ''))
      return
    end
  end
end

-- How many more may start in the complexes that a queue is in; nil where it is in none.
local function room_of_complexes(names)
  local room = nil
  for name in string.gmatch(names, '[^,]+') do
    local row = redis.call('HMGET', k_complex(name), 'run_limit', 'queues')
    local free = tonumber(row[1] or '0')
    for queue in string.gmatch(row[2] or '', '[^,]+') do
      free = free - redis.call('ZCARD', k_promoted(queue)) - redis.call('ZCARD', k_in(queue, 'RUNNING'))
    end
    if not room or free < room then room = free end
  end
  return room
end

-- A request that has left the QUEUED ones of a queue goes into rq's list. Returns whether it did: it may be damaged.
local function promote_one(rid, order, queue, template)
  local row = redis.call('HMGET', k_request(rid), 'state', 'queue', 'seq', 'site', 'name')
  if row[1] ~= 'QUEUED' or row[2] ~= queue then
    misplaced(rid)
    return false
  end
  local job = 'rq:job:' .. rid
  redis.call('DEL', job)
  redis.call('HSET', job, 'created_at', ARGV[3], 'enqueued_at', ARGV[3], 'origin', queue, 'status', 'queued',
    'description', (row[3] or rid) .. '.' .. (row[4] or '') .. ' ' .. (row[5] or ''), unpack(template))
  redis.call('ZADD', k_promoted(queue), order, rid)
  take_slot(rid, queue)
  redis.call('HSET', k_request(rid), 'promoted', '1')
  redis.call('RPUSH', rq_list(queue), rid)
  return true
end

-- Fill every free slot, the best queue first: what may start now goes into rq's lists. Quiet: the caller is the worker,
-- which claims next and need not be woken.
local function promote(quiet)
  if redis.call('EXISTS', 'jcq:worker') == 0 then return end
  local limit = tonumber(redis.call('HGET', 'jcq:site', 'run_limit') or '0')
  local taken = redis.call('SCARD', 'jcq:slots')
  local template, woke = nil, false
  for _, queue in ipairs(redis.call('ZRANGE', 'jcq:queues', 0, -1)) do
    if limit > 0 and taken >= limit then break end
    local row = redis.call('HMGET', k_queue(queue), 'type', 'started', 'run_limit', 'user_limit', 'complexes')
    if row[1] == 'BATCH' and row[2] == '1' then
      local free = tonumber(row[3]) - redis.call('ZCARD', k_promoted(queue)) - redis.call('ZCARD', k_in(queue, 'RUNNING'))
      if limit > 0 and free > limit - taken then free = limit - taken end
      local room = row[5] and room_of_complexes(row[5])
      if room and free > room then free = room end
      local of_user = tonumber(row[4] or '0')
      while free > 0 do
        local popped = of_user > 0 and pop_next(queue, of_user) or redis.call('ZPOPMIN', k_in(queue, 'QUEUED'), free)
        if #popped == 0 then break end
        template = template or redis.call('HGETALL', 'jcq:rqjob')
        for i = 1, #popped, 2 do
          if promote_one(popped[i], popped[i + 1], queue, template) then
            taken = taken + 1
            free = free - 1
            woke = true
          end
        end
      end
    end
  end
  if woke and not quiet then redis.call('PUBLISH', 'jcq:wake', 'work') end
end

-- rq's own records of one execution, once it is over.
local function close_execution(rid, queue, token, worker)
  local pair = rid .. ':' .. token
  redis.call('DEL', 'rq:execution:' .. pair, 'rq:executions:' .. rid)
  redis.call('ZREM', 'rq:wip:' .. queue, pair)
  if worker and worker ~= '' then redis.call('SREM', 'rq:worker:' .. worker .. ':executions', pair) end
end

-- rq's own record of how a request ended: status, registry, result. ended_iso, field and value are encoded as rq's are.
local function rq_record(rid, queue, token, worker, ttl, started, ended, ended_iso, field, value)
  local good = field == 'return_value'
  local job, results = 'rq:job:' .. rid, 'rq:results:' .. rid
  redis.call('HSET', job, 'status', good and 'finished' or 'failed', 'ended_at', ended_iso)
  redis.call('EXPIRE', job, ttl)
  redis.call('ZADD', (good and 'rq:finished:' or 'rq:failed:') .. queue, tonumber(ARGV[2]) + ttl, rid)
  redis.call('XADD', results, 'MAXLEN', '10', '*', 'type', good and '1' or '2', 'created_at', ARGV[2], field, value,
    'worker_name', worker, 'execution_id', token, 'execution_started_at', started, 'execution_ended_at', ended)
  redis.call('EXPIRE', results, ttl)
end

-- A claimed request is not RUNNING any more, and is to run again some time: QUEUED, first among equals, or HELD.
local function give_back(rid, from, queue, to, token, worker, reason)
  local key = k_request(rid)
  if to == 'QUEUED' then redis.call('HSET', key, 'rerun', '1') end
  free_slot(rid, queue)
  place(rid, from, queue, to, queue)
  redis.call('HDEL', key, 'pid', 'pid_start', 'started_s', 'token', 'requeue', 'suspended')
  redis.call('HDEL', 'jcq:kills', rid)
  redis.call('HSET', key, 'reason', reason, 'bounced', token)
  close_execution(rid, queue, token, worker)
  redis.call('DEL', 'rq:job:' .. rid)
  promote(true)
end

-- What a conversion of an old spool stages: its requests, and their places.
local function k_staged(rid) return 'jcq:import:request:' .. rid end
local function k_staged_in(queue, state) return 'jcq:import:in:' .. queue .. ':' .. state end

-- Whether another conversion than that of a token has begun: the error to return.
local function not_importing(token)
  local now = redis.call('HGET', 'jcq:import', 'token')
  if now and now ~= token then return fail('IMPORT', 'another one has begun') end
end

-- Forget everything staged but the requests themselves, whose numbers are in jcq:import:ranges.
local function forget_import()
  for _, set in ipairs(redis.call('SMEMBERS', 'jcq:import:sets')) do
    redis.call('UNLINK', k_staged_in(string.match(set, '^(%S+) (%S+)$')))
  end
  for _, kind in ipairs({ 'queue', 'complex' }) do
    local names = 'jcq:import:' .. kind .. (kind == 'queue' and 's' or 'es')
    for _, name in ipairs(redis.call('SMEMBERS', names)) do redis.call('DEL', 'jcq:import:' .. kind .. ':' .. name) end
    redis.call('DEL', names)
  end
  redis.call('UNLINK', 'jcq:import', 'jcq:import:sets', 'jcq:import:waiting', 'jcq:import:origins', 'jcq:import:oldids',
    'jcq:import:defaults', 'jcq:import:param', 'jcq:import:manager')
end
