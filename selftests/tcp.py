#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tcp library: every call in its forms, framing, order, time-outs, close, peers that vanish, sockets shared between
states, write queues, broadcast of one buffer, destroy and cancel mid-way."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
PATIENCE = 30
port = 20000 + os.getpid() % 20000

PRELUDE = """
tcp, buffer = require 'tcp', require 'buffer'
function text(...)
  local t = table.pack(...)
  for i = 1, t.n do
    local v = t[i]
    t[i] = type(v) == 'userdata' and (tostring(v):match('^class%.[%w_]+') or tostring(v)) or tostring(v)
  end
  return table.concat(t, ' ')
end
function go(f, ...) timer.timeout(0, ..., f) end
function soon(f) for i = 1, 2000 do if f() then return true end timer.sleep(0.005) end return false end
function pair(read, write)
  port = port + 1
  local ok, l = tcp.listen('127.0.0.1', port)
  if not ok then error('listen ' .. l) end
  local _, a = tcp.connect('127.0.0.1', port)
  local _, b = l:accept()
  l:close()
  if write then a:set_rwopt(write) end
  if read then b:set_rwopt(read) end
  return a, b
end
function errs(f, ...) local ok, e = pcall(f, ...) return ok and 'no error' or e end
"""


def ready_state(maxalloc="2M"):
    global port
    name = new_state(maxalloc)
    port += 100
    error, said = ask(name, PRELUDE + "port = %d" % port)
    if error:
        diag(said)
    return name


def begin(name, script):
    """Runs a script in a coroutine of its own."""
    return ask(name, "out = nil timer.timeout(0, function() local t = table.pack(pcall(function() %s end)) "
                     "out = text(table.unpack(t, t[1] and 2 or 1, t.n)) end)" % script)


def result(name):
    soon(lambda: execute(name, "return out ~= nil") == "true", PATIENCE)
    return execute(name, "return out")


def lua(name, script):
    error, said = begin(name, script)
    return said if error else result(name)


def is_(script, wanted, what, name=None):
    return equal(lua(name or s, script), wanted, what)


def receive(sock, n):
    data = b""
    while len(data) < n:
        part = sock.recv(min(n - len(data), 1 << 20))
        if not part:
            break
        data += part
    return data


plan(153)
s = ready_state()
equal(execute(s, "return _G.timer ~= nil, type(tcp), tcp == require 'tcp'"), "true\ttable\ttrue", "require")

# --- listen, connect, accept ---

is_("local ok, l = tcp.listen('127.0.0.1', port) keep = l return ok, l, l:fd() > 0, l:is_closed()",
    "true class.tcp_listen_handle_t true false", "listen")
is_("local ok, c = tcp.connect('127.0.0.1', port) first = c return ok, c, c:fd() > 0", "true class.tcp_socket_handle_t true", "connect")
is_("local ok, c = keep:accept() second = c return ok, c", "true class.tcp_socket_handle_t", "accept")
is_("return first:remote_addr(), first:remote_port() == port, first:local_addr(), first:local_port() == second:remote_port()",
    "127.0.0.1 true 127.0.0.1 true", "addresses and ports")
is_("return keep:accept(0.05)", "false 208", "accept: time-out")
is_("return tcp.listen('127.0.0.1', port)", "false 5", "listen: the address is in use")
is_("return tcp.listen('192.0.2.1', port)", "false 6", "an address that is not ours")
is_("return tcp.listen('localhost', port)", "false 18", "a name is no address")
is_("return tcp.connect('127.0.0.1', 1)", "false 12", "connect: refused")
is_("return tcp.connect('::1', 1)", "false 18", "an IPv6 address in connect")
is_("local ok, l = tcp.listen6('::1', port + 1) local _, c = tcp.connect6('::1', port + 1) local _, d = l:accept() "
    "return ok, c:remote_addr(), d:local_addr(), d:local_port() == port + 1", "true ::1 ::1 true", "IPv6")
is_("local ok, l = tcp.listens('/tmp/lunatik.%s') local _, c = tcp.connects('/tmp/lunatik.%s') local _, d = l:accept() "
    "c:write('unix') local ok, b = d:read() return ok, b:tostring(), errs(c.local_addr, c)" % (PREFIX, PREFIX),
    "true unix attempt to perform on a unix domain socket", "Unix sockets")
is_("local ok, l = tcp.listens('/tmp/lunatik.%s') return ok, l" % PREFIX, "true class.tcp_listen_handle_t", "an existing name is replaced")
open("/tmp/lunatik.file.%s" % PREFIX, "w").close()
is_("return tcp.listens('/tmp/lunatik.file.%s')" % PREFIX, "false 5", "but not that of a file")
is_("return tcp.connects('/tmp/lunatik.none')", "false 34", "connects: nothing there")
is_("return tcp.connects(('x'):rep(200))", "false 49", "a name too long for the kernel")
for call, said in (("tcp.listen, ('x'):rep(300), 1", "listen host invalid(too long)"),
                   ("tcp.listens, ('x'):rep(300)", "listen sock name invalid(too long)"),
                   ("tcp.connect, ('x'):rep(300), 1", "connect host invalid(too long)"),
                   ("tcp.connects, ('x'):rep(300)", "connect sock name invalid(too long)"),
                   ("tcp.listen, '127.0.0.1', 1, nil", "number expected, got nil"),
                   ("tcp.connect, '127.0.0.1', 1, nil", "number expected, got nil"),
                   ("tcp.accept, keep, nil", "number expected, got nil"),
                   ("tcp.read, first, nil", "number expected, got nil"),
                   ("tcp.connect, '127.0.0.1', 1, 1, 1", "function expected, got number"),
                   ("tcp.read, keep", "class.tcp_socket_handle_t expected, got class.tcp_listen_handle_t"),
                   ("tcp.accept, first", "class.tcp_listen_handle_t expected, got class.tcp_socket_handle_t"),
                   ("tcp.write, 'x', 'y'", "class.tcp_socket_handle_t expected, got string"),
                   ("tcp.write, first, {}", "string expected"),
                   ("tcp.write, 0, 'x'", "invalid shared socket fd"),
                   ("tcp.local_addr, keep", "class.tcp_socket_handle_t expected, got class.tcp_listen_handle_t")):
    like(lua(s, "return errs(%s)" % call), re.escape(said), "%s: %s" % (call, said))
is_("return tcp.is_closed(1), tcp.is_closed(first), tcp.fd({}) == nil, select('#', tcp.fd(1))", "false false true 0", "is_closed and fd of anything")

# --- read, write, close ---

is_("first:write('hello') local ok, b = second:read() return ok, b, b:tostring()", "true hello hello", "write and read")
is_("return first:write('x', true)", "true 0", "the safe form")
is_("local n = select('#', first:write('y')) timer.sleep(0.02) return n, select(2, second:read()):tostring()", "0 xy", "without: no values")
is_("first:write(buffer.new('buffer')) first:write(memory.create('memory')) first:write(12) timer.sleep(0.02) "
    "return select(2, second:read()):tostring()", "buffermemory12", "buffers, memories, numbers")
is_("return first:write('', true), second:read(0.05)", "true false 208", "nothing is nothing; read: time-out")
is_("local r first:write('cb', function(...) r = text(...) end) soon(function() return r end) return r, select(2, second:read())",
    "true 0 class.tcp_socket_handle_t cb cb", "write with a callback")
is_("local r first:write('', function(...) r = text(...) end) soon(function() return r end) return r", "true 0 class.tcp_socket_handle_t ",
    "of nothing, too")
is_("go(function() timer.sleep(0.1) first:write('late') end) local ok, b = second:read() return ok, b", "true late", "a read waits")
is_("local got = {} for i = 1, 3 do go(function() local ok, b = second:read() got[#got + 1] = i .. tostring(b) end) end timer.sleep(0.05) "
    "for i = 1, 3 do first:write(('%d'):format(i)) timer.sleep(0.05) end return table.concat(got, ' ')", "11 22 33", "several reads: in their order")
is_("local got = {} for i = 1, 3 do go(function() local ok, c = keep:accept() got[#got + 1] = i end) end timer.sleep(0.05) "
    "local port = keep and port for i = 1, 3 do tcp.connect('127.0.0.1', port) timer.sleep(0.05) end return table.concat(got, ' ')",
    "1 2 3", "several accepts as well")
is_("local r = {} go(function() r[1] = text(second:read()) end) go(function() r[2] = text(second:read()) end) timer.sleep(0.05) "
    "local a, b = second:close(), second:close() soon(function() return r[1] and r[2] end) return a, b, r[1], r[2], second:is_closed()",
    "true false false 203 false 203 true", "close wakes who reads")
is_("return errs(second.read, second), errs(second.write, second, 'x'), errs(second.local_port, second), next(second:get_rwopt()), "
    "select('#', second:set_wshared(true))",
    "attempt to read data on a invalid or closed socket attempt to send data on a invalid or closed socket "
    "attempt to perform on a invalid or closed socket nil 0", "a closed socket")
is_("local r go(function() r = text(keep:accept()) end) timer.sleep(0.05) keep:close() soon(function() return r end) "
    "return r, errs(keep.accept, keep)", "false 204 attempt to perform accept on a invalid or closed listen socket", "close of a listening socket")
is_("local a, b = pair() a:write('last') a:close() local r = {} for i = 1, 3 do r[i] = text(b:read()) end return table.concat(r, ';')",
    "true last;false 1;false 1", "what was written comes before the end; the end stays")
is_("local a, b = pair() a:write(('x'):rep(300000)) a:close() local n = 0 while true do local ok, c = b:read() if not ok then return n, c end n = n + #c end",
    "300000 1", "close sends what waits")
is_("do local a, b = pair() keepb = b end collectgarbage() collectgarbage() return keepb:read()", "false 1", "the collector closes")
is_("local a, b = pair() a:set_nodelay(true) a:write('x') return select(2, b:read()), a:set_nodelay(false)", "x", "set_nodelay")

is_("port = port + 1 local _, a = tcp.listen('127.0.0.1', port) a:close() return tcp.listen('127.0.0.1', port)", "true class.tcp_listen_handle_t",
    "close frees the address at once")

# --- callbacks ---

is_("""port = port + 1
local out, seen, l = {}, 0
tcp.listen('127.0.0.1', port, function(ok, lsock, addr, p)
  out[1] = text(ok, lsock, addr, p == port) l = lsock
  l:accept(function(ok, c, ls)
    seen = seen + 1
    local n = seen
    out[#out + 1] = text(ok, c, ls == l)
    timer.sleep(0.05)
    c:write(('conn %d'):format(n), true)
    c:close()
  end)
end)
soon(function() return out[1] end)
timer.sleep(0.05)
local got = {}
for i = 1, 2 do tcp.connect('127.0.0.1', port, 5, function(ok, c, h, p, t) local r = text(ok, c, h, p == port, t, select(2, c:read())) got[#got + 1] = r end) end
soon(function() return #got == 2 end)
table.sort(got)
l:close()
return table.concat(out, ';'), table.concat(got, ';')""",
    "true class.tcp_listen_handle_t 127.0.0.1 true;true class.tcp_socket_handle_t true;true class.tcp_socket_handle_t true "
    "true class.tcp_socket_handle_t 127.0.0.1 true 5 conn 1;true class.tcp_socket_handle_t 127.0.0.1 true 5 conn 2",
    "listen, accept and connect with callbacks that wait")
is_("local r tcp.connect('127.0.0.1', 1, function(...) r = text(...) end) soon(function() return r end) return r", "false 12 127.0.0.1 1", "connect fails")
is_("local r tcp.listen('192.0.2.1', 1, 5, function(...) r = text(...) end) soon(function() return r end) return r", "false 6 192.0.2.1 1 5", "listen fails")
is_("local r tcp.connects('/tmp/lunatik.none', function(...) r = text(...) end) soon(function() return r end) return r", "false 34 /tmp/lunatik.none", "connects fails")
is_("""local a, b = pair()
local got = {}
b:read(function(ok, data, sock) if ok and tostring(data) == 'wait' then timer.sleep(0.1) end got[#got + 1] = text(ok, ok and tostring(data) or data, sock == b) end)
timer.sleep(0.02) a:write('one') timer.sleep(0.05) a:write('wait') timer.sleep(0.05) a:write('two') timer.sleep(0.2) a:close()
soon(function() return #got == 4 end)
return table.concat(got, ';')""", "true one true;true two true;true wait true;false 1 true", "a read callback for every chunk, beside one that waits")
is_("""local a, b = pair() local got = ''
b:read(function(ok, data) got = got .. '1' .. tostring(data) end) b:read(function(ok, data) got = got .. '2' .. tostring(data) end)
timer.sleep(0.02) a:write('x') timer.sleep(0.05) a:write('y') timer.sleep(0.05) return got""", "2x2y", "another callback takes the place of the first")
is_("local a, b = pair() local n = 0 b:read(function() n = n + 1 end) timer.sleep(0.02) b:close() timer.sleep(0.05) return n", "0", "close removes it without a call")
log = Log()
is_("local a, b = pair() local n = 0 b:read(function(ok, d) n = n + 1 if n == 1 then error('in a callback') end end) timer.sleep(0.02) "
    "a:write('x') timer.sleep(0.05) a:write('y') soon(function() return n == 2 end) return n", "2", "an error in a callback does not end the reading")
check(soon(lambda: any("in a callback" in line for line in log.lines()), PATIENCE), "it is in the log")

# --- framing ---

for width in (1, 2, 4):
    for endian in "LB":
        is_("local o = {read_head_bytes = %d, read_head_endian = '%s', write_head_bytes = %d, write_head_endian = '%s'} "
            "local a, b = pair(o, o) a:write('abc') a:write('') a:write(('z'):rep(200)) local r = {} for i = 1, 2 do local ok, m = b:read() "
            "r[i] = text(ok, #m, tostring(m):sub(1, 3)) end return table.concat(r, ';')" % (width, endian, width, endian),
            "true 3 abc;true 200 zzz", "%d-byte heads, %s" % (width, endian))
        is_("local a, b = pair(nil, {write_head_bytes = %d, write_head_endian = '%s'}) a:write(('q'):rep(129)) timer.sleep(0.02) local ok, m = b:read() "
            "return #m, (tostring(m):sub(1, %d):gsub('.', function(c) return ('%%02x'):format(c:byte()) end))" % (width, endian, width),
            "%d %s" % (129 + width, struct.pack({"L": "<", "B": ">"}[endian] + {1: "B", 2: "H", 4: "I"}[width], 129).hex()), "as they are on the wire")
is_("local a, b = pair({read_head_bytes = 2, read_head_endian = 'B'}) a:write('\\0\\3abc\\0\\0\\0\\2de\\0') local r = {} "
    "for i = 1, 3 do r[i] = text(b:read()) .. '' end r[4] = text(b:read(0.05)) a:write('\\1f') r[5] = tostring(select(2, b:read())) return table.concat(r, ';')",
    "true abc;true ;true de;false 208;f",
    "several messages in a chunk, an empty one, a part that a time-out leaves")
is_("local a, b = pair({read_head_bytes = 4}, {write_head_bytes = 4}) local m = ('0123456789'):rep(30000) go(function() a:write(m) a:write('x') end) "
    "local ok, r = b:read() return #r, tostring(r) == m, select(2, b:read())", "300000 true x", "one of many chunks")
is_("local a, b = pair({read_head_bytes = 1}, {write_head_bytes = 1}) local got = {} for i = 1, 4 do go(function() local ok, m = b:read() got[#got + 1] = i .. tostring(m) end) end "
    "timer.sleep(0.05) for c in ('abcd'):gmatch('.') do a:write(c) end soon(function() return #got == 4 end) return table.concat(got, ' ')",
    "1a 2b 3c 4d", "reads that wait get them in order")
is_("local a, b = pair({read_head_bytes = 2, read_head_max = 10}) a:write('\\11\\0' .. ('x'):rep(11)) return b:read(), select(2, b:read())",
    "false 21" , "a head that is too big")
is_("local a, b = pair(nil, {write_head_bytes = 2, write_head_max = 5}) return errs(a.write, a, '123456')", "attempt to send data(length 6) too long(max 5)", "a message that is too long")
is_("local a = pair() a:set_rwopt{read_head_bytes = 2, write_head_bytes = 4, write_head_endian = 'B', write_head_max = 9} local t, k = a:get_rwopt(), {} "
    "for n, v in pairs(t) do k[#k + 1] = n .. '=' .. v end table.sort(k) return table.concat(k, ' ')",
    "read_head_bytes=2 read_head_endian=L read_head_max=65535 write_head_bytes=4 write_head_endian=B write_head_max=9", "get_rwopt")
for table, said in (("{read_head_bytes = 3}", "option table error, field 'read_head_bytes' not correct"),
                    ("{read_head_bytes = 'x'}", "option table error, field 'read_head_bytes' not correct"),
                    ("{write_head_endian = 'X'}", "option table error, field 'write_head_endian' not correct"),
                    ("{write_head_max = -1}", "option table error, field 'write_head_max' not correct"),
                    ("{read_head_bytes = 1, read_head_max = 256}", "option table error, field 'read_head_bytes' and 'read_head_max' not match"),
                    ("{read_head_max = 1}", "option table error, field 'read_head_bytes' and 'read_head_max' not match"),
                    ("{read_head_bytes = 1, write_head_bytes = 3}", "option table error, field 'write_head_bytes' not correct"),
                    ("1", "table expected, got number")):
    like(lua(s, "local a, b = pair() fresh, fresh_peer = a, b return errs(a.set_rwopt, a, %s), a:get_rwopt().read_head_bytes" % table), re.escape(said) + r".* 0$", table)
is_("local a, b = pair() a:write('x') b:read() return errs(a.set_rwopt, a, {write_head_bytes = 1}), errs(b.set_rwopt, b, {read_head_bytes = 1}), errs(a.set_rwopt, a, {read_head_bytes = 1})",
    "field 'write_head_bytes' set failed, option table already frozen field 'read_head_bytes' set failed, option table already frozen no error", "frozen by the first read and write")
is_("local a = pair() a:set_wshared(true) return errs(a.set_rwopt, a, {write_head_max = 0})", "field 'write_head_max' set failed, option table already frozen", "and by set_wshared")

# --- where no wait is possible ---

for where, script in (("a sort comparator", "table.sort({2, 1}, function() e = errs(fresh.read, fresh) return false end) return e"),
                      ("lunatik.atomic", "return lunatik.atomic(function() return errs(fresh.read, fresh) end)"),
                      ("lunatik.atomic: accept", "local _, l = tcp.listen('127.0.0.1', port + 60) return lunatik.atomic(function() return errs(l.accept, l) end)"),
                      ("lunatik.atomic: connect", "return lunatik.atomic(function() return errs(tcp.connect, '127.0.0.1', 1) end)")):
    is_(script, "attempt to yield across a C-call boundary", "in " + where)
is_("local a, b = pair() lunatik.atomic(function() a:write('from atomic') a:write(buffer.new(' twice')) end) timer.sleep(0.05) return select(2, b:read())",
    "from atomic twice", "a write works there")
is_("local a, b = pair() a:write('there') timer.sleep(0.02) local r table.sort({2, 1}, function() r = r or text(select(2, b:read())) return false end) return r ~= nil",
    "true", "and a read of what is there below a C function")

# --- write queues: a peer that does not read ---

is_("a0, b0 = pair() local n = 0 go(function() while n < 400 do a0:write(('x'):rep(65536)) n = n + 1 end end) timer.sleep(0.5) "
    "stuck = n timer.sleep(0.2) return n < 400, n == stuck", "true true", "a writer waits for a peer that does not read")
is_("local ok = soon(function() return true end) local r go(function() r = text(a0:write('safe', true)) end) timer.sleep(0.1) return r", "nil", "the safe form as well")
is_("for i = 1, 5 do lunatik.atomic(function() a0:write(('x'):rep(65536)) end) end return a0:write('y', true)", "false 25", "where it cannot wait, the socket fails: 25")
is_("return a0:write('z', true)", "false 25", "and stays so")
is_("local a, b = pair() local big = buffer.new(('0123456789'):rep(100000)) local r go(function() r = text(a:write(big, true)) end) local n, sum = 0, {} "
    "while n < 1000000 do local ok, c = b:read() n = n + #c sum[#sum + 1] = c end local all = buffer.new(n) for _, c in ipairs(sum) do all:append(c) end "
    "soon(function() return r end) return r, n, all:tostring() == big:tostring(), b:close(), big:release(), all:release()", "true 0 1000000 true true nil",
    "a buffer of a million bytes is sent by reference", ready_state("8M"))
is_("local a, b = pair() local big = buffer.new(('a'):rep(200000)) local n = 0 go(function() a:write(big) big:clear() big:append(('b'):rep(200000)) a:write(big) end) "
    "local as, bs = 0, 0 while as + bs < 400000 do local ok, c = b:read() local _, k = tostring(c):gsub('a', '') as = as + k bs = bs + #c - k end return as, bs",
    "200000 200000", "what is changed after the write is not what was written", ready_state("4M"))

# --- peers that vanish ---

execute(s, "port = port + 1 _, L = tcp.listen('0.0.0.0', port)")
peer = socket.create_connection(("127.0.0.1", int(execute(s, "return port"))), 10)
check(lua(s, "local ok, c = L:accept() P = c return ok") == "true", "a peer from outside")
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
begin(s, "return P:read()")
time.sleep(0.1)
peer.close()
equal(result(s), "false 13", "it resets the connection: a read fails")
is_("return P:read(), select(2, P:read())", "false 13", "so do all later ones")
is_("local r = {} for i = 1, 5 do r[i] = text(P:write('x', true)) timer.sleep(0.02) end return r[5]", "false 36", "and writes")
peer = socket.create_connection(("127.0.0.1", int(execute(s, "return port"))), 10)
is_("local ok, c = L:accept() P = c return ok", "true", "another")
peer.sendall(b"half")
peer.shutdown(socket.SHUT_WR)
is_("timer.sleep(0.05) local ok, b = P:read() local t = text(P:read()) return b, t, P:write('still open', true)", "half false 1 true 0", "half-closed: it still gets")
equal(receive(peer, 10), b"still open", "what is written")
peer.close()

# --- shared sockets ---

other = ready_state()
is_("A, B = pair({read_head_bytes = 2}, {write_head_bytes = 2, write_head_max = 100}) return A:fd() > 0", "true", "a socket")
fd = execute(s, "return A:fd()")
is_("return tcp.write(%s, 'x', true)" % fd, "false 209", "not shared: 209", other)
execute(s, "A:set_wshared(true)")
is_("return tcp.write(%s, 'from another state', true)" % fd, "true 0", "shared: another state writes", other)
is_("return select(2, B:read())", "from another state", "in the owner's framing")
is_("return tcp.write(%s, ('x'):rep(101), true)" % fd, "false 210", "too long: 210", other)
is_("local r tcp.write(%s, 'cb', function(...) r = text(...) end) soon(function() return r end) return r" % fd, "true 0 %s cb" % fd, "with a callback", other)
is_("tcp.write(%s, buffer.new('plain')) return select('#', tcp.write(%s, 'x'))" % (fd, fd), "0", "without any", other)
is_("lunatik.atomic(function() tcp.write(%s, 'atomic') end) return 1" % fd, "1", "in a hook", other)
is_("local r = {} for i = 1, 4 do r[i] = tostring(select(2, B:read())) end return table.concat(r, ' ')", "cb plain x atomic", "all in order")
execute(s, "A:set_wshared(false)")
is_("return tcp.write(%s, 'x', true)" % fd, "false 209", "no longer shared", other)
execute(s, "A:set_wshared(true) A:close()")
check(soon(lambda: lua(other, "return tcp.write(%s, 'x', true)" % fd) == "false 203", PATIENCE), "closed: 203")
is_("return tcp.write(2147483647, 'x', true)", "false 203", "a number that nobody has", other)
is_("A, B = pair() A:set_wshared(true) return A:fd() > 0", "true", "the owner of a shared socket")
fd = execute(s, "return A:fd()")
begin(other, "local n = 0 while true do local ok, e = tcp.write(%s, ('x'):rep(100000), true) if not ok then return e end n = n + 1 end" % fd)
time.sleep(0.3)
ctl("destroy %s\n" % s)
equal(result(other), "203", "is destroyed while another writes")

# --- one buffer for many ---

s = ready_state("4M")
execute(s, "collectgarbage() collectgarbage()")
is_("""many = {} port = port + 1
local _, l = tcp.listen('127.0.0.1', port)
for i = 1, 200 do local _, a = tcp.connect('127.0.0.1', port) local _, b = l:accept() many[i] = {a, b} end
data = buffer.new(('broadcast'):rep(7000)) collectgarbage() return #data""", "63000", "200 connections and a buffer of 63,000 bytes")
before = curralloc(s)
is_("for i = 1, 200 do many[i][1]:write(data) end return 'sent'", "sent", "it is written to all")
check(curralloc(s) < before + 200000, "it takes no more of the state", "%d before, %d after" % (before, curralloc(s)))
is_("local n = 0 for i = 1, 200 do local got = 0 while got < 63000 do local ok, c = many[i][2]:read() if not ok then return i, c end got = got + #c "
    "if i == 200 and got == #c then n = tostring(c):sub(1, 9) end c:release() end end return n", "broadcast", "and comes to all")

# --- cancel, destroy, generations ---

s = ready_state()
is_("a, b = pair() _, l = tcp.listen('127.0.0.1', port + 50) return 1", "1", "sockets for what is ended")
for call in ("b:read()", "l:accept()", "b:read(60)", "while true do a:write(('x'):rep(65536)) end", "a:write(('x'):rep(1000000), true) a:write(('x'):rep(9000000), true)"):
    begin(s, "waits = 1 %s waits = 2" % call)
    check(soon(lambda: stats(s)["status"] == "waiting", PATIENCE), "%.40s waits" % call, stats(s))
    ctl("cancel %s\n" % s)
    check(soon(lambda: stats(s)["status"] != "waiting" and execute(s, "return waits") == "1", PATIENCE), "cancel ends it", stats(s))
equal(load(s, "lunatik.replace() got = 0 x, y = nil timer.timeout(0, function() x, y = pair() end)"), None, "a code script")
check(soon(lambda: execute(s, "return y ~= nil") == "true", PATIENCE), "makes sockets")
equal(load(s, "y:read(function(ok, d) got = got .. 'old' .. tostring(d) end) error('staged')"), "EINVAL", "a read callback of a script that fails")
execute(s, "x:write('1')")
time.sleep(0.1)
equal(execute(s, "return got"), "0", "is never called")
equal(load(s, "y:read(function(ok, d) got = got .. 'A' .. tostring(d) end)"), None, "one of a script that does not")
check(soon(lambda: execute(s, "return got") == "0A1", PATIENCE), "is called", execute(s, "return got"))
equal(load(s, "lunatik.replace() y:read(function(ok, d) got = got .. 'B' .. tostring(d) end)"), None, "a script that takes its place")
time.sleep(0.05)
execute(s, "x:write('2')")
check(soon(lambda: execute(s, "return got") == "0A1B2", PATIENCE), "has its own called", execute(s, "return got"))
for call in ("b:read()", "l:accept()", "l:accept(print)", "b:read(print)", "while true do a:write(('x'):rep(65536)) end",
             "a:write(buffer.new(('x'):rep(500000)), function() end)", "tcp.connect('127.0.0.1', port + 50, print) l:accept(function(ok, c) c:read() end)"):
    name = ready_state()
    lua(name, "a, b = pair() _, l = tcp.listen('127.0.0.1', port + 50)")
    begin(name, call)
    time.sleep(0.05)
    began = time.monotonic()
    ctl("destroy %s\n" % name)
    check(time.monotonic() - began < PATIENCE and not os.path.exists(code(name)), "destroy ends %.40s" % call)

# --- a state that is small ---

s = ready_state("64K")
is_("local a, b = pair() go(function() for i = 1, 40 do a:write(('x'):rep(10000)) end a:close() end) local n = 0 while true do local ok, c = b:read() "
    "if not ok then return n, c end n = n + #c c:release() end", "400000 1", "400,000 bytes through 64 KiB")
is_("local a, b = pair({read_head_bytes = 4}) a:write('\\255\\255\\255\\100' .. ('x'):rep(100)) local ok, e for i = 1, 50 do a:write(('x'):rep(5000)) end ok, e = b:read(2) return ok, e",
    "false 26", "a message larger than the limit: 26")
finished()
