-- Before every script stand the files of kernel/, this one first: names, the transition table, epoch check, ownership.
-- The first three arguments of every changing script are
--   ARGV[1] epoch of the caller     ARGV[2] now, seconds since 1970     ARGV[3] the same moment as rq writes it
-- Keys are derived here (single-node server). Errors are returned, never raised: "CODE detail" (jcq/jcdbs/errors.py).
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
