-- wrk: POSTs with a user of its own each. Arguments: path, first user, and "keyed" for an Idempotency-Key.
-- Answers are not counted here: a response callback would cost wrk more than the request. wrk's own count of errors
-- and the server's counter by status are exact.

local PER_THREAD = 2 ^ 40

local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  path = args[1]
  user = tonumber(args[2]) + number * PER_THREAD
  keyed = args[3] == "keyed"
  headers = { ["Content-Type"] = "application/json" }
end

function request()
  user = user + 1
  if keyed then
    headers["Idempotency-Key"] = string.format("bench-%.0f", user)
  end
  return wrk.format("POST", path, headers, string.format('{"userId":%.0f}', user))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,"status":%d,"socket":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
