-- wrk: an order, and the payment of an order that was just placed, in turn as answers come. Arguments: first user, then
-- the ids of the options to order. Every answer is read, because only it says which order there is to pay: that costs
-- wrk about as much again as a request.

local PER_THREAD = 2 ^ 40

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  user = tonumber(args[1]) + number * PER_THREAD
  options = {}
  for i = 2, #args do
    table.insert(options, args[i])
  end
  headers = { ["Content-Type"] = "application/json" }
  placed, paid, wrong = 0, 0, 0
  -- Orders that wait for their payment: id and user, first in, first out.
  waiting, first, last = {}, 1, 0
end

function request()
  if first <= last then
    local order = waiting[first]
    waiting[first] = nil
    first = first + 1
    return wrk.format("POST", "/api/orders/" .. order.id .. "/payment", headers, '{"userId":' .. order.user .. "}")
  end
  user = user + 1
  local option = options[user % #options + 1]
  return wrk.format("POST", "/api/orders", headers,
    string.format('{"userId":%.0f,"items":[{"productOptionId":%s,"quantity":1}]}', user, option))
end

function response(status, headers, body)
  if status ~= 201 then
    wrong = wrong + 1
  elseif body:find('"PAID"', 1, true) then
    paid = paid + 1
  else
    placed = placed + 1
    last = last + 1
    waiting[last] = { id = body:match('"orderId":(%d+)'), user = body:match('"userId":(%d+)') }
  end
end

function done(summary, latency)
  local errors = summary.errors
  local all = { placed = 0, paid = 0, wrong = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(all) do
      all[name] = all[name] + thread:get(name)
    end
  end
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"status":%d,"socket":%d,"placed":%d,"paid":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    all.wrong, errors.connect + errors.read + errors.write + errors.timeout, all.placed, all.paid))
end
