-- SPDX-License-Identifier: GPL-2.0-only
-- The net library: every method, option and error text, blocking and not, in one state. Gives a line `ok WHAT` or
-- `not ok WHAT # GOT` for each thing looked at, in the global `lines`; sets `finished` when it is through, for it waits.

local net = require "net"
local stream, dgram = require "net.stream", require "net.dgram"
local inet, unix = require "net.stream.inet", require "net.stream.unix"
local dinet, dunix = require "net.dgram.inet", require "net.dgram.unix"
lines = {}
finished = false

local function shown(...)
	local t = table.pack(...)
	for i = 1, t.n do t[i] = type(t[i]) == "string" and ("%q"):format(t[i]) or tostring(t[i]) end
	return t.n == 0 and "nothing" or table.concat(t, ", ")
end

local function result(good, what, why)
	local line = good and "ok " .. what or "not ok " .. what .. " # " .. tostring(why)
	lines[#lines + 1] = line:gsub("[^ -~]", ".")
end

-- as many values, equal one by one
local function gives(what, wanted, ...)
	local got, n = table.pack(...), wanted.n or #wanted
	local good = got.n == n
	for i = 1, n do good = good and rawequal(got[i], wanted[i]) and math.type(got[i]) == math.type(wanted[i]) end
	result(good, what, "got " .. shown(...) .. "; wanted " .. shown(table.unpack(wanted, 1, n)))
end

local function raises(what, message, f, ...)
	local good, why = pcall(f, ...)
	result(not good and tostring(why):find(message, 1, true), what, good and "it raised nothing" or why)
end

local NOTHING, AGAIN = { n = 0 }, { nil, nil, true, n = 3 }
local function failed(text) return { nil, text, n = 2 } end

-- runs beside what runs; `join` waits for it and returns what it returned
local function spawn(f, ...)
	local task = { args = table.pack(...) }
	timer.timeout(0.001, function()
		task.results = table.pack(pcall(f, table.unpack(task.args, 1, task.args.n)))
	end)
	return task
end

local function join(task)
	for _ = 1, 2000 do
		if task.results then
			if not task.results[1] then return "raised", task.results[2] end
			return table.unpack(task.results, 2, task.results.n)
		end
		timer.sleep(0.005)
	end
	return "still waits"
end

-- {=== modules
for name, kind in pairs { net = "new", ["net.dgram.inet"] = "new", ["net.dgram.unix"] = "new", ["net.stream"] = "pair",
			  ["net.dgram"] = "getaddrinfoin" } do
	gives(name .. " has " .. kind, { "function" }, type(require(name)[kind]))
end
for _, module in ipairs { inet, unix } do
	gives("a stream module has two classes", { "function", "function" }, type(module.client.new), type(module.server.new))
end

-- {=== pairs: names, flags, options
local pair = stream.pair()
local a, b = pair[1], pair[2]
gives("an instance is a table", { "table", 2 }, type(a), #pair)
gives("its socket is a userdata", { "userdata" }, type(a.sock))
gives("with a locked metatable", { 1 }, getmetatable(a.sock))
result(tostring(a.sock):find("^llsocket.socket: "), "and a name", tostring(a.sock))
gives("numbers of sockets", { "integer", true }, math.type(a:fd()), a:fd() ~= b:fd())
gives("type", { 1 }, a:socktype())
gives("family", { 1 }, a:family())
gives("cloexec", { true, false, false }, a:cloexec(), a:cloexec(false), a:cloexec())
gives("nonblock", { false, true, true, false }, a:nonblock(), a:nonblock(true), a:nonblock(), a:nonblock(false))
gives("error", { 0 }, a:error())
gives("acceptconn", { false }, a:acceptconn())
gives("atmark", { false }, a:atmark())
gives("the name of a pair", { "" }, a:getsockname():addr().path)
gives("its peer's name", { "" }, a:getpeername():addr().path)
gives("recv with nothing there", AGAIN, (function() a:nonblock(true) return a:recv() end)())
gives("recv of nothing", failed "Invalid argument", a:recv(0))
gives("recv of less", failed "Invalid argument", a:recv(-1))
gives("send of nothing", failed "Invalid argument", a:send(""))
gives("send", { 5, nil, false, n = 3 }, a:send("hello"))
gives("recv", { "hello" }, b:recv())
gives("send of a memory", { 3, nil, false, n = 3 }, a:send(memory.create("abc")))
local resizable = memory.create()
resizable:resize(4, "wxyz")
gives("of one that may change", { 4, nil, false, n = 3 }, a:send(resizable))
gives("recv of a part", { "ab", "cw" }, b:recv(2), b:recv(2))
gives("of the rest", { "xyz" }, b:recv(100))
raises("send of a number", "string expected, got number", a.send, a, 12)
raises("recv with a string", "number expected, got string", a.recv, a, "12")
raises("nonblock of a number", "boolean expected, got number", a.nonblock, a, 1)
raises("reuseaddr of a string", "boolean expected, got string", a.reuseaddr, a, "x")
raises("rcvbuf of a string", "number expected, got string", a.rcvbuf, a, "4096")
gives("TCP options on a Unix socket", failed "Operation not supported", a:tcpnodelay(true))
gives("and to read one", failed "Operation not supported", a:tcpkeepcnt())
gives("oobinline", { false }, a:oobinline())
local large = ("0123456789abcdef"):rep(4096)
gives("what fits into the buffer", { #large, nil, false, n = 3 }, a:send(large))
local got = {}
for i = 1, 100 do
	local part = b:recv(#large)
	got[i] = part
	if #table.concat(got) == #large then break end
end
gives("comes as one string or more", { true }, table.concat(got) == large)
local total, again, err, len = 0
a:nonblock(true)
repeat
	len, err, again = a:send(large)
	total = total + len
until again
gives("a full buffer takes a part", { nil, true, n = 2 }, err, again)
gives("then nothing", { 0, nil, true, n = 3 }, a:send(large))
b:nonblock(true)
local came = 0
for part in function() return (b:recv(1 << 20)) end do came = came + #part end
gives("all that was taken comes", { total }, came)
gives("closew", NOTHING, a:closew())
gives("then the peer's recv gives nothing", NOTHING, b:recv())
gives("and send", NOTHING, a:send("x"))
gives("closer of the peer", NOTHING, b:closer())
gives("close", NOTHING, a:close())
raises("a closed one", "attempt to index a nil value", a.close, a)
raises("a closed one received from", "attempt to index a nil value", a.recv, a)
gives("send to a peer that is gone", NOTHING, b:send("x"))
local raw = b.sock
gives("close of the other", NOTHING, b:close())
gives("its socket is closed", failed "Bad file descriptor", raw:recv())
gives("and can be closed again", { "Bad file descriptor" }, raw:close())
gives("a pair that does not wait", { true, true }, (function(p) return p[1]:nonblock(), p[2]:nonblock() end)(stream.pair { nonblock = true }))
gives("only true counts", { false }, stream.pair { nonblock = 1 }[1]:nonblock())

-- {=== addresses
local function at(host, port, more)
	local opts = { host = host, port = port }
	for k, v in pairs(more or {}) do opts[k] = v end
	return stream.getaddrinfoin(opts)
end
local ai = at("127.0.0.1", "80")[1]
gives("an addrinfo", { 2, 1, 6 }, ai:family(), ai:socktype(), ai:protocol())
gives("its address", { "127.0.0.1", 80 }, ai:addr().ip, ai:addr().port)
result(tostring(ai):find("^llsocket.addrinfo: "), "its name", tostring(ai))
gives("no canonical name", NOTHING, ai:cannoname())
gives("a canonical name", { "127.0.0.1" }, at("127.0.0.1", nil, { canonname = true })[1]:cannoname())
gives("numeric name", { "127.0.0.1", "80" }, (function(t) return t.host, t.service end)(ai:getnameinfo(1, 2)))
gives("of the files", { "localhost", "http" }, (function(t) return t.host, t.service end)(ai:getnameinfo()))
gives("a name is needed", failed "Name or service not known", at("10.255.1.2", "80")[1]:getnameinfo(8))
gives("IPv6", { "::1", 443, 10 }, (function(x) return x:addr().ip, x:addr().port, x:family() end)(at("::1", "443")[1]))
gives("short forms", { "127.0.0.1" }, at("127.1", "1")[1]:addr().ip)
gives("a number as port", { 8080 }, at("127.0.0.1", 8080)[1]:addr().port)
gives("a service", { 80 }, at("127.0.0.1", "http")[1]:addr().port)
gives("no such service", failed "Servname not supported for ai_socktype", at("127.0.0.1", "nosuchservice"))
gives("nor port", failed "Servname not supported for ai_socktype", at("127.0.0.1", "70000"))
gives("no such host", failed "Name or service not known", at("no.such.host.invalid", "80"))
gives("a name where a number is wanted", failed "Name or service not known", at("localhost", "80", { numeric = true }))
gives("neither", failed "Name or service not known", at())
result(at("localhost", "80")[1]:addr().port == 80, "localhost")
gives("no host", { "::1", "127.0.0.1" }, (function(t) return t[1]:addr().ip, t[2]:addr().ip end)(at(nil, "80")))
gives("passive", { "0.0.0.0", "::" }, (function(t) return t[1]:addr().ip, t[2]:addr().ip end)(at(nil, "80", { passive = true })))
gives("a path", { "/tmp/x", 1, 1, 0 }, (function(x) return x:addr().path, x:family(), x:socktype(), x:protocol() end)(stream.getaddrinfoun { path = "/tmp/x" }))
gives("an abstract name", { "\0x" }, stream.getaddrinfoun { path = "\0x" }:addr().path)
gives("or so", { "\0x" }, stream.getaddrinfoun { path = "@x" }:addr().path)
gives("a long path", failed "File name too long", stream.getaddrinfoun { path = ("x"):rep(108) })
gives("no path", failed "Invalid argument", stream.getaddrinfoun { path = "" })
raises("a path that is none", "string expected, got number", stream.getaddrinfoun, { path = 1 })
raises("a host that is none", "string expected, got number", stream.getaddrinfoin, { host = 1 })
raises("no options", "table expected", inet.server.new)

-- {=== servers and clients
local function server_of(opts)
	local server, why = inet.server.new(opts)
	if not server then return nil, why end
	local text = server:listen()
	if text then return nil, text end
	return server
end
local function port_of(server) return server:getsockname():addr().port end

for _, host in ipairs { "127.0.0.1", "::1" } do
	local server = server_of { host = host, port = "0", reuseaddr = true }
	gives(host .. ": acceptconn", { true, true }, server:acceptconn(), server:reuseaddr())
	local port = port_of(server)
	result(port > 0, host .. ": the port that the kernel chose")
	local task = spawn(function() return server:accept() end)
	local client = inet.client.new { host = host, port = tostring(port) }
	local peer = join(task)
	gives(host .. ": names", { port, host }, client:getpeername():addr().port, peer:getpeername():addr().ip)
	gives(host .. ": they agree", { client:getsockname():addr().port }, peer:getpeername():addr().port)
	task = spawn(function() return peer:recv() end)
	timer.sleep(0.01)
	gives(host .. ": hello", { 5, nil, false, n = 3 }, client:send("hello"))
	gives(host .. ": who waits gets it", { "hello" }, join(task))
	for _, name in ipairs { "tcpnodelay", "tcpcork", "keepalive", "oobinline", "reuseport", "debug", "dontroute", "timestamp" } do
		gives(host .. ": " .. name, { true, true, false, false }, client[name](client, true), client[name](client),
		      client[name](client, false), client[name](client))
	end
	for _, name in ipairs { "tcpkeepalive", "tcpintvl", "tcpkeepintvl", "tcpkeepcnt", "rcvlowat" } do
		gives(host .. ": " .. name, { 7, 7 }, client[name](client, 7), client[name](client))
	end
	client:rcvlowat(1)
	gives(host .. ": rcvbuf", { 8192, 16384 }, client:rcvbuf(8192), client:rcvbuf())
	gives(host .. ": sndbuf", { 8192, 16384 }, client:sndbuf(8192), client:sndbuf())
	gives(host .. ": sndlowat", { 1, nil, "Protocol not available", n = 3 }, client:sndlowat(), client:sndlowat(1))
	gives(host .. ": tcpkeepcnt out of range", failed "Invalid argument", client:tcpkeepcnt(1000))
	-- out of band
	gives(host .. ": atmark", { false }, peer:atmark())
	client:send("ab")
	gives(host .. ": sendoob", { 1, nil, false, n = 3 }, client:sendoob("!"))
	timer.sleep(0.01)
	gives(host .. ": up to the mark", { "ab" }, peer:recv())
	gives(host .. ": at the mark", { true }, peer:atmark())
	-- a long send waits until all is taken
	task = spawn(function() return client:send(large:rep(4)) end)
	timer.sleep(0.02)
	gives(host .. ": a long send waits", { nil, n = 1 }, task.results)
	local n = 0
	while n < 4 * #large do n = n + #peer:recv(50000) end
	gives(host .. ": until all is taken", { 4 * #large, nil, false, n = 3 }, join(task))
	-- who waits when the peer closes
	task = spawn(function() return "closed", peer:recv() end)
	timer.sleep(0.01)
	gives(host .. ": close", NOTHING, client:close())
	gives(host .. ": who waits gets nothing", { "closed" }, join(task))
	peer:close()
	-- who waits when the socket is closed here
	task = spawn(function() return server:accept() end)
	timer.sleep(0.01)
	gives(host .. ": close of a listener", NOTHING, server:close())
	gives(host .. ": who accepts there", failed "Bad file descriptor", join(task))
	gives(host .. ": refused", failed "Connection refused", inet.client.new { host = host, port = tostring(port) })
end

-- time-outs
local p = stream.pair()
gives("rcvtimeo", { 0.0, 0.05, 0.05 }, p[1]:rcvtimeo(), p[1]:rcvtimeo(0.05), p[1]:rcvtimeo())
gives("sndtimeo as text", { "0.25", 0.25 }, p[1]:sndtimeo("0.25"), p[1]:sndtimeo())
gives("rcvtimeo below 0", failed "Numerical argument out of domain", p[1]:rcvtimeo(-1))
local before = os.clock()
gives("recv in time", AGAIN, p[1]:recv())
local took = os.clock() - before
result(took >= 0.05 and took < 2, "which is over", took)
p[1]:sndtimeo(0.05)
repeat len, err, again = p[1]:send(large) until again
gives("send in time", { 0, nil, true, n = 3 }, p[1]:send(large))
p[1]:close()
p[2]:close()
local listener = server_of { host = "127.0.0.1", port = "0" }
listener:rcvtimeo(0.02)
gives("accept in time", AGAIN, listener:accept())
listener:nonblock(true)
gives("accept without waiting", AGAIN, listener:accept())
gives("no backlog", { false }, (pcall(listener.listen, listener, 0)))
raises("no backlog", "backlog range must be 1 to 2147483647", listener.listen, listener, 0)
gives("a backlog", NOTHING, listener:listen(5))
local quick = inet.client.new { host = "127.0.0.1", port = tostring(port_of(listener)), nonblock = true }
gives("a client that does not wait", { "table", true }, type(quick), quick:nonblock())
timer.sleep(0.02)
local accepted = listener:accept()
gives("what it accepts does not wait either", { true, true }, accepted:nonblock(), accepted:cloexec())
gives("and there is nothing", AGAIN, accepted:recv())
-- connect anew
local old = quick.sock
gives("connect again", NOTHING, quick:connect())
gives("is another socket", { false, nil, "Bad file descriptor", n = 3 }, old == quick.sock, old:recv())
listener:close()
quick.opts.nonblock = false
gives("connect to nobody", { "Connection refused" }, quick:connect())
gives("keeps the socket", { "integer" }, math.type(quick:fd()))
gives("listening on a used port", failed "Address already in use", (function()
	local one = server_of { host = "127.0.0.1", port = "0" }
	return inet.server.new { host = "127.0.0.1", port = tostring(port_of(one)) }
end)())
gives("an address of others", failed "Cannot assign requested address", inet.server.new { host = "192.0.2.1", port = "0" })
gives("neither host nor port", failed "Name or service not known", inet.server.new {})
gives("a wildcard", { "0.0.0.0" }, (function() return inet.server.new { port = "0" }:getsockname():addr().ip end)())
gives("not connected", failed "Transport endpoint is not connected", inet.server.new { port = "0" }:getpeername())
gives("recv of a listener", failed "Transport endpoint is not connected", server_of { host = "127.0.0.1", port = "0" }:recv())

-- {=== Unix sockets
for _, path in ipairs { "/tmp/lunatik-net-test", "@lunatik-net-test", "\0lunatik net test" } do
	local name = path:gsub("%z", "NUL ")
	local server = unix.server.new { path = path }
	gives(name .. ": listen", NOTHING, server:listen())
	gives(name .. ": in use", failed "Address already in use", unix.server.new { path = path })
	local task = spawn(function() return server:accept() end)
	local client = unix.client.new { path = path }
	local peer = join(task)
	gives(name .. ": its name", { (path:gsub("^@", "\0")) }, client:getpeername():addr().path)
	task = spawn(function() return client:recv() end)
	gives(name .. ": send", { 3, nil, false, n = 3 }, peer:send("one"))
	gives(name .. ": recv", { "one" }, join(task))
	gives(name .. ": connect again", NOTHING, client:connect())
	client:close()
	peer:close()
	gives(name .. ": close", NOTHING, server:close())
	gives(name .. ": nobody there", failed "Connection refused", unix.client.new { path = path })
end
gives("no such path", failed "No such file or directory", unix.client.new { path = "/tmp/no-such-socket" })
gives("a long path", failed "File name too long", unix.server.new { path = ("x"):rep(200) })
-- a full queue of connections: who connects waits until there is room
local full = unix.server.new { path = "@full" }
full:listen(1)
local clients = {}
for i = 1, 2 do clients[i] = unix.client.new { path = "@full" } end
gives("a full queue", failed "Resource temporarily unavailable", unix.client.new { path = "@full", nonblock = true })
local late = spawn(function() return type(unix.client.new { path = "@full" }) end)
timer.sleep(0.03)
gives("who connects waits", { nil, n = 1 }, late.results)
full:accept()
gives("for room", { "table" }, join(late))

-- {=== datagrams
local d = dgram.pair()
gives("a pair of datagram sockets", { 2, 4, nil, false, n = 4 }, d[1]:socktype(), d[1]:send("four"))
gives("cut to what is asked for", { "fo" }, d[2]:recv(2))
local dtask = spawn(function() return d[2]:recv() end)
timer.sleep(0.01)
d[1]:send("five!")
gives("who waits gets one", { "five!" }, join(dtask))
gives("a long one", { 20000 }, (function() d[1]:send(("x"):rep(20000)) return #d[2]:recv(65536) end)())
for _, host in ipairs { "127.0.0.1", "::1" } do
	local one = dinet.new { host = host, port = "0" }
	local two = dinet.new { host = host, port = "0", reuseaddr = true }
	gives(host .. ": bind", NOTHING, one:bind())
	gives(host .. ": bind elsewhere", NOTHING, two:bind { host = host, port = "0" })
	local there = one:getsockname()
	gives(host .. ": sendto", { 4, nil, false, n = 3 }, two:sendto("ping", there))
	local text, from = one:recvfrom()
	gives(host .. ": recvfrom", { "ping", two:getsockname():addr().port }, text, from:addr().port)
	one:nonblock(true)
	gives(host .. ": nothing there", { nil, nil, nil, true, n = 4 }, one:recvfrom())
	one:nonblock(false)
	local task = spawn(function() return (one:recvfrom()) end)
	timer.sleep(0.01)
	gives(host .. ": connect", NOTHING, two:connect { host = host, port = there:addr().port })
	gives(host .. ": send", { 4, nil, false, n = 3 }, two:send("pong"))
	gives(host .. ": who waits gets it", { "pong" }, join(task))
	gives(host .. ": too long", failed "Message too long", two:send(("x"):rep(70000)))
	for _, name in ipairs { "broadcast", "mcastloop" } do
		gives(host .. ": " .. name, { true, true, false, false }, one[name](one, true), one[name](one),
		      one[name](one, false), one[name](one))
	end
	gives(host .. ": mcastttl", { 5, 5 }, one:mcastttl(5), one:mcastttl())
	gives(host .. ": mcastif", { "lo", "lo" }, one:mcastif("lo"), one:mcastif())
	gives(host .. ": no such interface", failed "No such device", one:mcastif("nosuch"))
	local group = host == "::1" and "ff02::1234" or "239.1.2.3"
	local source = host == "::1" and "::1" or "127.0.0.1"
	gives(host .. ": join", NOTHING, one:mcastjoin(group, "lo"))
	gives(host .. ": block", NOTHING, one:mcastblocksrc(group, source, "lo"))
	gives(host .. ": unblock", NOTHING, one:mcastunblocksrc(group, source, "lo"))
	gives(host .. ": leave", NOTHING, one:mcastleave(group, "lo"))
	gives(host .. ": leave again", { "Cannot assign requested address" }, one:mcastleave(group, "lo"))
	gives(host .. ": join a source", NOTHING, one:mcastjoinsrc(group, source, "lo"))
	gives(host .. ": leave a source", NOTHING, one:mcastleavesrc(group, source, "lo"))
	raises(host .. ": no address", "not a numeric address", one.mcastjoin, one, "nowhere")
	gives(host .. ": close", NOTHING, one:close())
	two:send("x")
	timer.sleep(0.01)
	gives(host .. ": nobody there", failed "Connection refused", two:recv())
end
local du = dunix.new { path = "@dgram-one" }
gives("a datagram socket with a name", NOTHING, du:bind())
local dv = dunix.new {}
gives("sendto it", { 3, nil, false, n = 3 }, dv:sendto("abc", dgram.getaddrinfoun { path = "@dgram-one" }))
gives("it comes", { "abc" }, (du:recvfrom()))
gives("connect", NOTHING, dv:connect { path = "@dgram-one" })
dv:nonblock(true)
local many = 0
repeat len, err, again = dv:send("x") many = many + (len or 0) until again or many > 10000
result(many > 0 and many < 10000, "a full receiver", many)
dv:nonblock(false)
local dsend = spawn(function() return dv:send("y") end)
timer.sleep(0.02)
gives("who sends waits", { nil, n = 1 }, dsend.results)
du:recv()
gives("until there is room", { 1, nil, false, n = 3 }, join(dsend))

-- {=== waiting
raises("no wait where none is possible", "cannot wait here", function()
	table.sort({ 1, 2, 3 }, function() local q = stream.pair() return q[1]:recv() end)
end)
raises("no socket in an atomic section", "cannot wait here", lunatik.atomic, stream.pair)
local q = stream.pair()
q[2]:send("there")
gives("what is there needs no wait", { "there" }, (function()
	local text
	table.sort({ 1, 2 }, function() text = text or q[1]:recv() return false end)
	return text
end)())
local order, readers = {}, {}
for i = 1, 3 do
	readers[i] = spawn(function() local one = q[1]:recv(1) order[#order + 1] = i .. one end)
	timer.sleep(0.005)
end
timer.sleep(0.02)
q[2]:send("abc")
for i = 1, 3 do join(readers[i]) end
gives("they come in their order, and one message serves all", { "1a 2b 3c" }, table.concat(order, " "))
local co = coroutine.wrap(function() local text = q[1]:recv() coroutine.yield(text) return "end" end)
local from = spawn(function() return co(), co() end)
timer.sleep(0.01)
q[2]:send("inside")
gives("a wait inside a coroutine", { "inside", "end" }, join(from))
finished = true
