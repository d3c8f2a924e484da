-- Where a request stands: the sorted sets of its queue, and the index of a queue with a user limit.

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
