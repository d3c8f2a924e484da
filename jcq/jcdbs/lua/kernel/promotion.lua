-- Which queued requests may start: slots of the site, complexes, queues and users.

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
