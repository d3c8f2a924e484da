-- Which requests a queue takes and what it gives them, and the routing of pipe queues.

-- Why a queue does not accept the requests of a uid and gid: the code of the error; nil where it does.
local function barred(name, uid, gid)
  local row = redis.call('HMGET', k_queue(name), 'restricted', 'users', 'groups')
  if row[1] ~= '1' then return nil end
  local users, groups = row[2] or '', row[3] or ''
  if users == '' and groups == '' then return 'NOACCESS' end
  local listed = string.find(users .. ',', ':' .. uid .. ',', 1, true) or string.find(groups .. ',', ':' .. gid .. ',', 1, true)
  return not listed and 'NOTLISTED' or nil
end

local function limit_in(text, name) return string.match(' ' .. text, ' ' .. name .. '=([^%s:]+)') end

-- Whether a stored number is greater than another. Doubles cannot tell the greatest sizes apart; their digits can.
local function greater(one, other)
  if one == other or other == 'unlimited' then return false end
  if one == 'unlimited' then return true end
  local a, b = tonumber(one), tonumber(other)
  if not a or not b then return false end
  if a == b and a >= 2^53 then return #one > #other or (#one == #other and one > other) end
  return a > b
end

-- The first limit of a request that is greater than a queue's: `NAME ALLOWED ASKED`. Those that stand in `before` with the
-- same value are not asked about. A nice value is the better the smaller it is.
local function excess(allowed, own, before)
  for name, asked in string.gmatch(own, '([%w_]+)=([^%s:]+)') do
    local limit = limit_in(allowed, name)
    if limit and asked ~= limit_in(before or '', name) then
      local over = name == 'nice_process' and greater(limit, asked) or name ~= 'nice_process' and greater(asked, limit)
      if over then return name .. ' ' .. limit .. ' ' .. asked end
    end
  end
end

local refusal

-- Whether a queue takes a request by its limits: code and detail of the error, or nil. A pipe queue has none; it refuses
-- where each of its destinations does, with the reason of the last one. `seen`: queues that need not be looked at again.
local function beyond(name, who, seen)
  local row = redis.call('HMGET', k_queue(name), 'type', 'limits', 'destinations')
  if row[1] ~= 'PIPE' then
    local over = excess(row[2] or '', who.limits or '', not next(seen) and who.before)
    if over then return 'LIMIT', name .. ' ' .. over end
    return nil
  end
  seen[name] = true
  local code, detail
  for destination in string.gmatch(row[3] or '', '[^,]+') do
    if not seen[destination] then
      local why, what = refusal(destination, who, seen)
      if not why then return nil end
      code, detail = why, what
    end
  end
  return code, detail
end

-- Why a queue does not take a request, now and later: code and detail of the error; nil where it does.
-- who: `uid`, `gid` and `limits` of the request.
refusal = function(name, who, seen)
  local why = barred(name, who.uid or '', who.gid or '')
  if why then return why, name end
  return beyond(name, who, seen or {})
end

local function who_is(rid)
  local row = redis.call('HMGET', k_request(rid), 'uid', 'gid', 'limits')
  return { uid = row[1], gid = row[2], limits = row[3] or '' }
end

-- The same in a few words, for the record of a request that is rejected.
local function in_words(code, detail)
  local name, limit = string.match(detail, '^(%S+) (%S+)')
  if code ~= 'LIMIT' then return 'the access list of ' .. detail .. ' names neither user nor group' end
  return 'its ' .. (string.match(LIMITS, ' ' .. limit .. ':(%S+)') or limit) .. ' is more than queue ' .. name .. ' allows'
end

-- A request enters a queue: the limits that a batch queue has and the request has not are its own from now on.
local function take_limits(rid, queue)
  local row = redis.call('HMGET', k_queue(queue), 'type', 'limits')
  local taken = {}
  if row[1] ~= 'PIPE' and row[2] and row[2] ~= '' then
    local own = redis.call('HGET', k_request(rid), 'limits') or ''
    for word in string.gmatch(row[2], '%S+') do
      local name = string.match(word, '^([%w_]+)=')
      if name and not limit_in(own, name) then taken[#taken + 1] = word end
    end
  end
  if #taken > 0 then
    redis.call('HSET', k_request(rid), 'queue_limits', table.concat(taken, ' '))
  else
    redis.call('HDEL', k_request(rid), 'queue_limits')
  end
end

-- A started pipe queue hands a QUEUED request on: to the first destination that accepts it; to a later try where
-- one is only disabled, until it has waited so for the site's retry time or lifetime; else it is rejected. Only these waits count:
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
    local who = who_is(rid)
    for name in string.gmatch(row[3] or '', '[^,]+') do
      local enabled = redis.call('HGET', k_queue(name), 'enabled')
      local why, what
      if enabled then why, what = refusal(name, who, { [queue] = true }) end
      if why then
        closed = closed or in_words(why, what)
      elseif enabled == '1' then
        taken = name
        break
      elseif enabled then
        later = later or name
      end
    end
    if taken then
      place(rid, 'ROUTING', queue, 'QUEUED', taken)
      take_limits(rid, taken)
      redis.call('HDEL', k_request(rid), 'retried_s')
      queue = taken
    elseif later then
      local times = redis.call('HMGET', 'jcq:site', 'retry_wait_s', 'retry_time_s', 'lifetime_s')
      local wait_s = tonumber(times[1] or RETRY_WAIT_S)
      local retried_s = tonumber(redis.call('HGET', k_request(rid), 'retried_s') or '0') or 0
      if retried_s >= math.min(tonumber(times[2] or RETRY_TIME_S), tonumber(times[3] or LIFETIME_S)) then
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
        .. (closed and '; ' .. closed or ''))
      return
    end
  end
end
