-- wrk's requests: a random traveller books a random flight of those given, each time under a new key.
-- WHO has "token userId" in each line; FIRST and LAST are the flights; CELL begins the keys.
local who, first, last, cell = {}, tonumber(os.getenv("FIRST")), tonumber(os.getenv("LAST")), os.getenv("CELL")
for line in io.lines(os.getenv("WHO")) do
  local token, user = line:match("(%S+) (%S+)")
  who[#who + 1] = {
    ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json",
    user = '{"userId":"' .. user .. '","flightId":"FL',
  }
end
math.randomseed(os.time())
local count = 0

function request()
  local headers = who[math.random(#who)]
  count = count + 1
  local body = headers.user .. math.random(first, last) .. '","paymentMethod":"credit_card"}'
  local sent = {
    ["Authorization"] = headers["Authorization"], ["Content-Type"] = "application/json",
    ["Idempotency-Key"] = cell .. "-" .. count,
  }
  return wrk.format("POST", "/book-flight", sent, body)
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50": %.3f, "p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, failed.status,
    failed.connect + failed.read + failed.write + failed.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
