-- Posts tickets, each with a new idempotency key, as fast as answers come.
--   SQUAD_API_KEY=... wrk -t2 -c256 -d10s --latency -s tests/bench/tickets.lua URL
-- A closed loop: for rates and capacity. Latency claims need an open loop.
local key = os.getenv("SQUAD_API_KEY") or "test-key"
local body = [[{"type":"tv","area":"28013","problem":"No picture since this morning, the sound is fine","source":"web","customer":{"ref":"C-1001","name":"Ana Ruiz","phone":"+34600123456","email":"ana@example.com"}}]]
local n, head = 0, ""
local threads = 0

function setup(thread)
    threads = threads + 1
    thread:set("id", threads)
end

function init()
    head = string.format("%d-%d-%d-", os.time(), id, math.floor(os.clock() * 1e9) % 1000000)
    wrk.method = "POST"
    wrk.path = "/v1/tickets"
end

local refused = 0
function request()
    n = n + 1
    return wrk.format(nil, nil, {
        ["Authorization"] = "Bearer " .. key,
        ["Content-Type"] = "application/json",
        ["Idempotency-Key"] = head .. n,
    }, body)
end
