-- SPDX-License-Identifier: GPL-2.0-only
-- An HTTP/1.1 server (RFC 9112) on 127.0.0.1, port 8080, or what the global `port` says. It serves what the global table
-- `pages` has, path by path: a string, or a function that gets the query and returns a string. Connections are kept alive,
-- requests may be pipelined.
--
--	echo "create web 4M" > /proc/lunatik/ctl
--	cat http.lua > /sys/kernel/lunatik/web/code
--	curl http://127.0.0.1:8080/
--	echo 'execute web pages["/new"] = "<p>a page that was not there</p>\n"' > /proc/lunatik/ctl

local tcp = require "tcp"

pages = pages or {
  ["/"] = "<!doctype html><title>lunatik</title><p>This page comes from a Lua script in the kernel.</p>\n",
  ["/count"] = function() served = (served or 0) + 1 return ("%d\n"):format(served) end,
}

-- The longest head of a request, in bytes.
local HEAD_MAX = 8192

local reasons = {
  [200] = "OK", [400] = "Bad Request", [404] = "Not Found", [405] = "Method Not Allowed", [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error", [505] = "HTTP Version Not Supported",
}

local function response(status, body, more)
  return ("HTTP/1.1 %d %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s\r\n"):format(status, reasons[status], #body, more or ""), body
end

-- Heads of good answers, by the length of the body.
local heads = {}

-- The head and body of the answer to a target.
local function answer(target)
  local page = pages[target]
  if not page then
    local path, query = target:match("^([^?]*)%??(.*)$")
    page = pages[path]
    if type(page) == "function" then page = { page, query } end
  elseif type(page) == "function" then
    page = { page, "" }
  end
  if type(page) == "table" then
    local ok, body = pcall(page[1], page[2])
    return response(ok and 200 or 500, ok and tostring(body) or "failed\n")
  end
  if not page then return response(404, "not found\n") end
  local head = heads[#page]
  if not head then
    head = response(200, page)
    heads[#page] = head
  end
  return head, page
end

-- Answers the request whose head is `head`: what is to be sent, and whether the connection goes on.
local function handle(head)
  local method, target, version = head:match("^(%u+) (%S+) HTTP/(%d%.%d)\r\n")
  if not method then return table.concat { response(400, "bad request\n", "Connection: close\r\n") }, false end
  if version ~= "1.1" and version ~= "1.0" then
    return table.concat { response(505, "not this version\n", "Connection: close\r\n") }, false
  end
  if method ~= "GET" and method ~= "HEAD" then
    -- What follows may be a body: nothing after it is understood.
    return table.concat { response(405, "only GET and HEAD\n", "Allow: GET, HEAD\r\nConnection: close\r\n") }, false
  end
  local wish = head:match("\r\n[Cc]onnection: *([^\r]*)")
  local keep = wish and wish:lower()
  if version == "1.0" then keep = keep == "keep-alive" else keep = keep ~= "close" end
  local top, body = answer(target)
  if not keep then top = top:sub(1, -3) .. "Connection: close\r\n\r\n" end
  if version == "1.0" and keep then top = top:sub(1, -3) .. "Connection: keep-alive\r\n\r\n" end
  return method == "HEAD" and top or top .. body, keep
end

local function serve(peer)
  local have = ""
  while true do
    local ok, data = peer:read(60)
    if not ok then break end
    have = have == "" and data:tostring() or have .. data:tostring()
    data:release()
    local from, replies, keep = 1, nil, true
    while keep do
      local stop, last = have:find("\r\n\r\n", from, true)
      if not stop then break end
      local reply
      reply, keep = handle(from == 1 and last == #have and have or have:sub(from, last))
      replies = replies and replies .. reply or reply
      from = last + 1
    end
    have = from > #have and "" or have:sub(from)
    if keep and #have > HEAD_MAX then
      replies, keep = (replies or "") .. table.concat { response(431, "too long\n", "Connection: close\r\n") }, false
    end
    if replies then peer:write(replies) end
    if not keep then break end
  end
  peer:close()
end

local ok, server = tcp.listen("127.0.0.1", port or 8080)
if not ok then error("http: cannot listen: " .. server, 0) end

server:accept(function(ok, peer)
  if not ok then return end
  peer:set_nodelay(true)
  serve(peer)
end)
