#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The library `context`: messages between states, and states that states make."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from lunatik import *  # noqa: E402

ROOT = "/lib/modules/lua"
OWN = PREFIX.replace(".", "_")
FOLDER = "%s/%s" % (ROOT, OWN)
PATIENCE = 60
ECHO = ("local c = require 'context' c.recv(0, function(ok, from, session, ...) "
        "if session >= 0 then c.reply(from, session, ...) end end)")


def module(name, text):
    os.makedirs(FOLDER, exist_ok=True)
    with open("%s/%s.lua" % (FOLDER, name), "w") as f:
        f.write(text)
    return "%s/%s.lua" % (OWN, name)


def start(name, body):
    """Runs a script that may wait; what it returns is in the global `out` then."""
    return ask(name, "out = nil context = require 'context' local r = table.pack(pcall(function(...) %s\nend)) "
                     "for i = 1, r.n do r[i] = tostring(r[i]) end out = table.concat(r, '\\t', 2, r.n)" % body)


def result(name):
    if not soon(lambda: execute(name, "return out ~= nil") == "true", PATIENCE):
        return "(nothing)"
    return execute(name, "return out")


def do(name, body):
    """What a script that may wait returns or raises, as text."""
    failed, reply = start(name, body)
    return reply if failed else result(name)


def state_with(body, maxalloc="1M"):
    name = new_state(maxalloc)
    do(name, body)
    return name


def gone(name):
    return soon(lambda: name not in states(), PATIENCE)


def limit(name):
    return int(slurp("%s/%s/maxalloc" % (SYS, name)))


plan(169)
s = new_state("1M")
used = curralloc(s)
execute(s, "collectgarbage() context = require 'context' collectgarbage()")
diag("where it is required the library takes %d bytes" % (curralloc(s) - used))
a = state_with(ECHO)
execute(s, "A = context.find('%s')" % a)

# --- the library ---

equal(execute(s, "return math.type(context.self), context.parent, context.winos, context.self ~= A"), "integer\t0\tfalse\ttrue", "self, parent, winos")
equal(execute(s, "return context.find('%s') == context.self, context.find('no.such')" % s), "true\tnil", "find")
equal(execute(s, "package.loaded.context = nil local again = require 'context' return again.self == context.self"), "true", "required anew it has the same handle")
equal(execute(s, "return context.strerror(0), context.strerror(205), context.strerror(207), context.strerror(208), context.strerror(4711)"),
      "success\tcontext not exist or has been killed\tno reply\ttimeout\tUnknown system error", "strerror")
check(execute(s, "return context.thread()") in ("0", "1", "2", "3"), "thread is a processor")
for what, call, message in (
        ("create without a file", "context.create()", "lua file is needed to initialize lua context"),
        ("create with a table", "context.create('x', {})", r"bad argument #2 to 'create' \(string expected, got table\)"),
        ("create with too much", "context.create(table.unpack({}, 1, 513))", "too many arguments to initialize lua context"),
        ("spawn with too much", "local t = {} for i = 1, 513 do t[i] = 'x' end context.spawn(table.unpack(t))", "too many arguments to initialize lua context"),
        ("send without a handle", "context.send()", r"bad argument #1 to 'send' \(number expected, got no value\)"),
        ("send without data", "context.send(A)", r"bad argument #2 to 'send' \(value expected\)"),
        ("reply without data", "context.reply(A, 1)", r"bad argument #3 to 'reply' \(value expected\)"),
        ("query without data", "context.query(A)", "no data to be sent"),
        ("query with a callback alone", "context.query(A, print)", "no data to be sent"),
        ("timed_query without a time", "context.timed_query(A)", r"bad argument #2 to 'timed_query' \(number expected, got no value\)"),
        ("recv with a table", "context.recv(0, {})", r"bad argument #2 to 'recv' \(number expected, got table\)"),
        ("wait for 0", "context.wait(0)", "invalid context handle to wait"),
        ("wait for oneself", "context.wait(context.self)", "can't wait self to die away"),
        ("wait with no function", "context.wait(A, 1, 2)", "function expected"),
        ("strerror of text", "context.strerror('x')", r"number expected, got string"),
        ("limit of less than nothing", "context.limit(-1)", "not a size"),
        ("sending a function", "context.send(A, print)", r"execute:1: transfer data type not supported|=run.*|run:1: transfer data type not supported"),
        ("sending a coroutine", "context.send(A, coroutine.create(print))", "transfer data type not supported"),
        ("sending a memory", "context.send(A, memory.create(10))", "transfer data type not supported"),
        ("a function in a table", "context.send(A, {{print}})", "transfer data type not supported"),
        ("a function as a key", "context.send(A, {[print] = 1})", "transfer data type not supported"),
        ("a table in itself", "local t = {} t.t = t context.send(A, t)", "tables nested too deep to be sent"),
        ("129 tables", "local t = {} for i = 1, 128 do t = {t} end context.send(A, t)", "tables nested too deep to be sent"),
        ("receiving in atomic", "lunatik.atomic(context.recv, 0)", "cannot wait here"),
        ("asking in atomic", "lunatik.atomic(context.query, A, 1)", "cannot wait here"),
        ("waiting in atomic", "lunatik.atomic(context.wait, A)", "cannot wait here"),
        ("creating in atomic", "lunatik.atomic(context.create, 'x')", "cannot wait here")):
    like(do(s, call), message, what)

# --- what is transferred ---

EQUAL = ("function same(a, b) if math.type(a) ~= math.type(b) or type(a) ~= type(b) then return false end "
         "if type(a) ~= 'table' then return a == b or (a ~= a and b ~= b) end "
         "for k, v in pairs(a) do if not same(v, b[k]) then return false end end "
         "for k in pairs(b) do if a[k] == nil then return false end end return true end "
         "function echo(...) local sent, got = table.pack(...), table.pack(context.query(A, ...)) if not got[1] then return got[2] end "
         "table.remove(got, 1) got.n = got.n - 1 return same(sent, got) end")
execute(s, EQUAL)
for what, values in (
        ("nil, booleans, integers", "nil, true, false, 0, -1, 127, 128, 1 << 40, math.maxinteger, math.mininteger"),
        ("floats", "0.5, 1.0, -2.0, 1e300, 1/0, -1/0, 0/0, 2^53, 5e-324"),
        ("strings", "'', 'x', 'a\\0b\\0', ('long'):rep(5000), '\\xff\\xfe'"),
        ("nothing behind a nil", "1, nil, nil"),
        ("an empty table", "{}"),
        ("lists", "{1, 2, 3}, {'a', {'b', {'c'}}}, {true, false}"),
        ("holes", "{1, nil, 3, nil, nil, 6}, {nil, 2}"),
        ("all types of keys", "{[1] = 'one', [1.5] = 'float', ['1'] = 'text', [true] = 't', [false] = 'f', [-3] = 'neg', [1 << 50] = 'large', [2^60] = 'i', [''] = 'e', ['a\\0'] = 0}"),
        ("lists with fields", "{1, 2, n = 2, {x = {y = {z = {}}}}}"),
        ("128 tables", "(function() local t = {} for i = 1, 127 do t = {t} end return t end)()"),
        ("two hundred values", "table.unpack((function() local t = {} for i = 1, 200 do t[i] = i end return t end)(), 1, 200)"),
        ("a thousand small tables", "(function() local t = {} for i = 1, 1000 do t[i] = {i, k = tostring(i)} end return t end)()")):
    equal(do(s, "return echo(%s)" % values), "true", "there and back: " + what)
equal(do(s, "local t = setmetatable({5}, {__index = {x = 1}, __len = function() return 9 end}) local _, u = context.query(A, t) return getmetatable(u), u[1], u.x, #u"),
      "nil\t5\tnil\t1", "a table without its metatable")
equal(do(s, "local t = {} local _, u = context.query(A, {t, t}) return u[1] == u[2], u[1] == t"), "false\tfalse", "a table that is there twice comes twice")
equal(do(s, "local t = {1} context.recv(context.self, function(_, _, _, u) u[1] = 2 seen = u[1] end) context.send(context.self, t) require('timer').sleep(0.05) "
            "context.recv(context.self, nil) return t[1], seen"), "1\t2", "a change on one side is none on the other")
equal(do(s, "buffer = require 'buffer' local b = buffer.new('shared\\0bytes') local ok, c = context.query(A, b) buffer.append(c, '!') return ok, buffer.tostring(b) == 'shared\\0bytes', buffer.tostring(c) == 'shared\\0bytes!'"),
      "true\ttrue\ttrue", "a buffer comes as one, and changes apart")
equal(do(s, "local b = buffer.new(('b'):rep(20000)) local ok, t = context.query(A, {b, b, k = b}) return ok, buffer.length(t[1]), buffer.length(t[2]), buffer.length(t.k)"),
      "true\t20000\t20000\t20000", "buffers in a table")
equal(do(s, "return context.send(A, ('x'):rep(200000))"), "false\t210", "what is longer than a queue may be")
equal(do(s, "local t = {} for i = 1, 100 do t[i] = ('x'):rep(2000) .. i end return context.query(A, t)"), "false\t210", "and a table that is")
small = new_state("64K")
execute(small, "context = require 'context' context.recv(0, function(ok, from, session, ...) if session >= 0 then context.reply(from, session, select('#', ...)) end end)")
execute(s, "S = context.find('%s')" % small)
log = Log()
equal(do(s, "return context.query(S, ('x'):rep(90000))"), "false\t207", "a query that its receiver has no memory for gets no reply")
check(soon(lambda: any(line.endswith(small + ": not enough memory") for line in log.lines()), PATIENCE), "as the receiver's log says")
equal(do(s, "return context.query(S, 1, 2, 3)"), "true\t3", "and it goes on")
ctl("destroy %s\n" % small)

# --- receiving ---

b = new_state("1M")
execute(b, "context = require 'context' S = context.find('%s')" % s)
execute(s, "B = context.find('%s')" % b)
equal(do(s, "return context.send(B, 1)"), "true", "a message that nobody receives is sent")
equal(do(s, "return context.query(B, 1)"), "false\t207", "a query that nobody receives gets no reply")
equal(do(s, "return context.send(4711, 1)"), "false\t205", "send to a handle that nobody has")
equal(do(s, "return context.send(0, 1)"), "false\t205", "and to 0")
equal(do(s, "return context.query(4711, 1)"), "false\t205", "query")
equal(do(s, "return context.query(4711, 1, print)"), "false\t205", "query with a callback")
equal(do(s, "return context.reply(4711, 1, 1)"), "false\t205", "reply")
equal(do(s, "return context.wait(4711)"), "false\t205", "wait")
start(b, "return context.recv(0)")
execute(s, "context.send(B, 'one', nil)")
equal(result(b), "true\t%s\t-1\tone\tnil" % execute(s, "return context.self"), "recv gets true, source, -1, data")
start(b, "local r = {context.recv(S)} context.reply(r[2], r[3], 'got', r[4]) return r[3] > 2000000000")
equal((do(s, "return context.query(B, 'two')"), result(b)), ("true\tgot\ttwo", "true"), "a query has a session; its reply comes back")
equal(do(b, "return context.recv(0, 0.05)"), "false\t208\t0\t-1", "recv with a timeout")
start(b, "return context.recv(0, 100)")
execute(s, "context.send(B, 'early')")
like(result(b), r"^true\t\d+\t-1\tearly$", "a message before the timeout")
start(b, "return context.recv(0, -1)")
execute(s, "context.send(B, 'never')")
like(result(b), r"never$", "a timeout below 0 is none")
start(b, "return context.recv(4711, 0.1)")
execute(s, "context.send(B, 'other')")
equal(result(b), "false\t208\t0\t-1", "a message from another is not for who waits for one")
execute(b, "got = {} function take(name, handle) timer.timeout(0, function() local r = {context.recv(handle)} got[#got + 1] = name .. r[4] end) timer.sleep(0.02) end")
do(b, "take('any1', 0) take('any2', 0) take('from1', S) take('from2', S) context.recv(0, function(_, _, _, x) got[#got + 1] = 'call0' .. x end) "
      "context.recv(S, function(_, _, _, x) got[#got + 1] = 'callS' .. x end)")
execute(s, "for i = 1, 3 do context.send(B, i) end")
check(soon(lambda: execute(b, "return #got") == "3"), "three messages for six receivers")
equal(execute(b, "return table.concat(got, ' ')"), "from11 from22 callS3", "who waits for the source, in order, then the callback for it")
execute(b, "context.recv(S, nil)")
execute(s, "for i = 4, 6 do context.send(B, i) end")
check(soon(lambda: execute(b, "return #got") == "6"), "three more")
equal(execute(b, "return table.concat(got, ' ', 4)"), "any14 any25 call06", "who waits for any, in order, then the callback for any")
execute(b, "context.recv(0, function(_, _, _, x) got[#got + 1] = 'new' .. x end)")
execute(s, "context.send(B, 7)")
check(soon(lambda: execute(b, "return #got") == "7"), "a callback in place of another")
equal(execute(b, "return got[7]"), "new7", "gets the messages")
equal(execute(b, "return select('#', context.recv(0, nil)), select('#', context.recv(0, print)), select('#', context.recv(0, nil))"), "0\t0\t0", "setting one gives nothing")
equal(do(s, "return context.query(B, 8)"), "false\t207", "without one nobody answers")
log = Log()
execute(b, "n = 0 context.recv(0, function(_, _, _, x) n = n + 1 timer.sleep(0.01) if x == 2 then error('second') end n = n + 100 end)")
execute(s, "for i = 1, 3 do context.send(B, i) end")
check(soon(lambda: execute(b, "return n") == "203", PATIENCE), "callbacks wait, side by side, and one fails", execute(b, "return n"))
check(soon(lambda: any(": second" in line for line in log.lines())), "which is logged")
load(b, "context.recv(0, function() n = 'staged' end) error('x')")
execute(b, "n = 0")
execute(s, "context.send(B, 1)")
check(soon(lambda: execute(b, "return n") == "101"), "a callback of a code script that fails is not set")
load(b, "context.recv(0, function() n = 'code' end)")
execute(s, "context.send(B, 1)")
check(soon(lambda: execute(b, "return n") == "code"), "that of one that does not is")
load(b, "lunatik.replace() n = 0")
time.sleep(0.05)
equal((do(s, "return context.query(B, 1)"), execute(b, "return n")), ("false\t207", "0"), "and goes with the next generation")

# --- asking ---

equal(do(s, "return context.query(context.self, 1)"), "false\t207", "asking oneself, who does not listen")
equal(do(s, "context.recv(context.self, function(_, from, session, x) context.reply(from, session, x + 1) end) local r = {context.query(context.self, 1)} context.recv(context.self, nil) return r[1], r[2]"),
      "true\t2", "asking oneself, who does")
equal(do(s, "local got local ok, session = context.query(A, 'x', 2, function(...) got = table.pack(...) end) local early = got while not got do timer.sleep(0.01) end return ok, session > 0, early, got.n, got[1], got[2], got[3]"),
      "true\ttrue\tnil\t3\ttrue\tx\t2", "query with a callback")
equal(do(s, "local got context.query(B, 'x', function(...) got = table.pack(...) end) while not got do timer.sleep(0.01) end return got.n, got[1], got[2]"),
      "2\tfalse\t207", "and no reply")
execute(b, "context.recv(0, function(_, from, session, x) last = {from, session} end)")
equal(do(s, "return context.timed_query(B, 0.05, 'x')"), "false\t208", "timed_query ends without a reply")
equal(do(s, "local got context.timed_query(B, 0.05, 'x', function(...) got = table.pack(...) end) while not got do timer.sleep(0.01) end return got.n, got[1], got[2]"),
      "2\tfalse\t208", "with a callback, too")
equal(execute(b, "return context.reply(last[1], last[2], 'late')"), "true", "a late reply is sent, for nobody")
equal(execute(b, "return context.reply(last[1], 12345, 'odd'), context.reply(last[1], -1, 'odd')"), "true\ttrue", "and so is one to no session")
execute(b, "context.recv(0, function(_, from, session, x) ok, err = pcall(context.reply, from, session, print) end)")
equal(do(s, "return context.query(B, 'x')"), "false\t206", "a reply that cannot be sent")
like(execute(b, "return ok, err"), r"^false\t.*transfer data type not supported", "raises where it was made")
execute(b, "context.recv(0, function(_, from, session, ...) context.reply(from, session, ...) context.reply(from, session, 'twice') end)")
equal(do(s, "local r = {context.query(B, 1, 2)} timer.sleep(0.02) return table.unpack(r)"), "true\t1\t2", "the first reply counts")
execute(b, "context.recv(0, function(_, from, session, x) context.send(context.find('%s'), from, session) end)" % a)
execute(a, "context = require 'context' context.recv(context.find('%s'), function(_, _, _, who, session) context.reply(who, session, 'forged') end)" % b)
equal(do(s, "return context.timed_query(B, 0.2, 'x')"), "false\t208", "a reply from another than was asked is none")
execute(a, "context.recv(context.find('%s'), nil)" % b)
execute(b, "context.recv(0, function() end)")
start(s, "return context.query(B, 'x')")
ctl("cancel %s\n" % s)
check(soon(lambda: "cancelled" in slurp(code(s))), "cancel ends who waits for a reply")
equal(do(s, "return context.query(A, 'after')"), "true\tafter", "and the state asks again")
start(b, "return context.recv(0, 1000)")
ctl("cancel %s\n" % b)
check(soon(lambda: "cancelled" in slurp(code(b))), "cancel ends who waits for a message")
pid = child(lambda: ask(s, "context.recv(4711)") and 0)
equal(ended(pid), 0, "the writer of a script that waits does not wait for it")

# --- order, and queues that are full ---

N = max(1000, int(10000 * SCALE))
execute(b, "context.recv(0, nil) want, bad = 1, 0 context.recv(S, function(_, _, _, i, t) if i ~= want or t.i ~= i then bad = bad + 1 end want = want + 1 end)")
equal(do(s, "local bad = 0 for i = 1, %d do if not context.send(B, i, {i = i}) then bad = bad + 1 end end return bad" % N), "0", "%d messages are sent" % N)
check(soon(lambda: execute(b, "return want") == str(N + 1), PATIENCE), "all come", execute(b, "return want, bad"))
equal(execute(b, "return bad"), "0", "in order")
execute(b, "want, bad = 1, 0 context.recv(S, nil) loop = timer.timeout(0, function() while want <= %d do local ok, _, _, i = context.recv(S) if i ~= want then bad = bad + 1 end want = want + 1 end end)" % N)
time.sleep(0.05)
do(s, "for i = 1, %d do context.send(B, i) end" % N)
check(soon(lambda: execute(b, "return want") == str(N + 1), PATIENCE), "to a coroutine that waits in a loop, too", execute(b, "return want, bad"))
equal(execute(b, "return bad"), "0", "nothing is lost and all is in order")
QUEUE = int(slurp(PARAMETERS + "/queuebytes"))
execute(b, "context.recv(0, nil) sizes, order = 0, '' context.recv(S, function(_, _, _, x, i) sizes = sizes + #x order = order .. (i or '') end)")
blocker = child(lambda: ask(b, "lunatik.atomic(function() local t = require('timer') end) stop = false function busy() while not stop do end end timer.timeout(0, busy)") and 0)
ended(blocker)
equal(do(s, "local n = 0 while lunatik.atomic(context.send, B, ('x'):rep(10000)) do n = n + 1 if n > 100 then break end end return n > 5 and n <= %d // 10000, lunatik.atomic(context.send, B, ('x'):rep(10000))" % QUEUE),
      "true\tfalse\t4", "where one cannot wait a full queue is an error")
execute(s, "done = 0 for i = 1, 4 do timer.timeout(0, function() assert(context.send(B, ('y'):rep(20000), i)) done = done + 1 end) end")
time.sleep(0.2)
equal(execute(s, "return done"), "0", "where one can, senders wait")
equal(stats(s)["status"], "waiting", "as stats says")
execute(s, "full = {} for i = 1, 20 do timer.timeout(0, function() full[#full + 1] = table.concat({tostring(context.send(B, ('y'):rep(20000)))}) end) end")
check(soon(lambda: int(execute(s, "return #full")) >= 10, PATIENCE), "of one state no more waits than fits a queue", execute(s, "return #full"))
start(s, "return context.timed_query(B, 0.1, ('z'):rep(20000))")
like(result(s), r"false\t(208|4)", "a query does not wait longer than its time")
execute(b, "stop = true")
check(soon(lambda: execute(s, "return done") == "4", PATIENCE), "when there is room they go on", execute(s, "return done"))
check(soon(lambda: execute(b, "return order") == "1234", PATIENCE), "in their order", execute(b, "return order"))
execute(b, "stop = false timer.timeout(0, busy)")
time.sleep(0.05)
start(s, "for i = 1, 100 do local ok, err = context.send(B, ('x'):rep(20000)) if not ok then return i > 5, err end end")
time.sleep(0.2)
ctl("destroy %s\n" % b)
equal(result(s), "true\t205", "the receiver ends: who waits for room is told")

# --- ends ---

b = new_state("1M")
execute(s, "B = context.find('%s')" % b)
start(s, "return context.wait(B)")
ctl("destroy %s\n" % b)
equal(result(s), "true\t0", "wait ends with the state")
b = new_state("1M")
execute(s, "B = context.find('%s')" % b)
equal(do(s, "return context.wait(B, 0.05)"), "false\t208", "wait with a timeout")
equal(do(s, "local got context.wait(B, 0.05, function(...) got = table.pack(...) end) while not got do timer.sleep(0.01) end return got.n, got[1], got[2], got[3] == B, got[4]"),
      "4\tfalse\t208\ttrue\t0.05", "the callback of a wait gets result, error, handle, timeout")
execute(s, "ends = {} context.wait(B, function(...) ends[1] = table.pack(...) end) context.wait(B, 100, function(...) ends[2] = table.pack(...) end)")
start(s, "return context.query(B, 1, 2)")
result(s)
execute(b, "context = require 'context' context.recv(0, function() end)")
start(s, "return context.timed_query(B, 100, 'taken')")
execute(s, "context.destroy(B)")
check(gone(b), "destroy by a handle")
equal(result(s), "false\t207", "a query that its receiver took gets no reply when that ends")
check(soon(lambda: execute(s, "return ends[1] ~= nil and ends[2] ~= nil") == "true"), "both callbacks of a wait are called")
equal(execute(s, "return ends[1].n, ends[1][1], ends[1][2], ends[1][3] == B, ends[2].n, ends[2][4]"), "3\ttrue\t0\ttrue\t4\t100", "with true, 0, handle, timeout")
ctl("cancel %s\n" % s)
b = state_with("n = 0 context.recv(0, function(_, from, session, x) n = n + 1 if session >= 0 then context.reply(from, session, n) end end)")
execute(s, "B = context.find('%s')" % b)
equal(do(s, "for i = 1, 100 do context.send(B, i) end local last context.query(B, 'last', function(...) last = table.pack(...) end) context.destroy(B, 'enough') "
            "while not last do timer.sleep(0.01) end return last[1], last[2]"), "true\t101", "destroy comes after what was sent before")
check(gone(b), "and then the state goes")
equal(do(s, "return select('#', context.destroy(4711)), select('#', context.destroy(0))"), "0\t0", "destroy of nobody does nothing")
b = state_with("")
execute(s, "B = context.find('%s')" % b)
execute(s, "called = 0 context.wait(B, function() called = called + 1 end) context.wait(B, nil)")
log = Log()
ask(b, "context.destroy('my own reason') for i = 1, 100000 do end print('goes on')")
check(gone(b), "who ends itself goes")
lines = log.lines()
check(any("my own reason" in line for line in lines), "the reason is in the log", lines)
check(any(line.endswith("goes on") for line in lines), "but not before it waits or ends", lines)
time.sleep(0.05)
equal(execute(s, "return called"), "0", "a wait that was taken back calls nothing")
for form in ("context.destroy()", "context.destroy(nil)", "context.destroy(context.self)", "context.destroy() require('timer').sleep(1000)"):
    b = new_state("1M")
    ask(b, "context = require 'context' " + form)
    check(gone(b), form)

# --- contexts ---

before = limit(s)
child_text = "local c = require 'context' c.send(c.parent, c.self, select('#', ...), ...) c.recv(c.parent)"
equal(do(s, "H = context.spawn([[%s]], 'a', 2, 3.5) local r = {context.recv(H)} return r[4] == H, r[5], r[6], r[7], math.type(r[7]), r[8]" % child_text),
      "true\t3\ta\t2\tnil\t3.5", "spawn: arguments come as text, parent and self are handles")
name = "%s.%s" % (s, execute(s, "return H"))
check(name in states(), "a context is a state named after its creator", states())
equal((limit(name), limit(s)), (65536, before - 65536), "its limit is out of its creator's")
execute(s, "context.send(H, 'go')")
check(gone(name), "it ends when nothing is pending in it")
check(soon(lambda: limit(s) == before), "and its limit goes back", limit(s))
file = module("child", "local c = require 'context'\nlocal where = debug.getinfo(1, 'S').short_src\nlocal helper = require('%s.helper')\nc.send(c.parent, where, helper, package.path, ...)\n" % OWN)
module("helper", "return 'helped'\n")
equal(do(s, "package.path = package.path .. ';/lib/modules/lua/?.x' local r = {context.recv(context.create('%s', 'x'))} return r[4], r[5], r[6] == package.path, r[7]" % file),
      "%s/%s\thelped\ttrue\tx" % (ROOT, file), "create: a file below /lib/modules/lua, its modules, the creator's package.path")
equal(do(s, "local r = {context.recv(context.create('%s/%s'))} return r[5]" % (ROOT, file)), "helped", "and by its whole path")
for what, call, message in (("a file that is not there", "context.create('%s/none.lua')" % OWN, "fail to initialize lua context %s/none.lua, no such file" % OWN),
                            ("a file outside", "context.create('/etc/passwd')", "fail to initialize lua context /etc/passwd, not below /lib/modules/lua"),
                            ("a way out", "context.create('../x.lua')", r"fail to initialize lua context \.\./x\.lua, not below"),
                            ("a folder", "context.create('%s')" % OWN, "not a regular file"),
                            ("what does not compile", "context.create('%s')" % module("syntax", "x = = 1\n"), "fail to initialize lua context .*syntax.lua:1: unexpected symbol"),
                            ("what raises an error", "context.spawn('local x = nil; x()')", r"/spawn:1: attempt to call a nil value \(local 'x'\)")):
    log, lines = Log(), []
    equal(do(s, "local h = %s return math.type(h), context.wait(h)" % call).split("\t")[0], "integer", what + " has a handle")
    check(soon(lambda: lines.extend(log.lines()) or any(re.search(message, line) for line in lines)), "and the log says why it ended", lines)
check(soon(lambda: limit(s) == before), "all limits are back", limit(s))
equal(do(s, "context.limit(100000) local h = context.spawn([[%s]]) context.recv(h) return h, context.limit(0)" % child_text).split("\t")[1], "100000", "context.limit")
name = "%s.%s" % (s, execute(s, "return out:match('%d+')"))
equal((limit(name), limit(s)), (100000, before - 100000), "is the limit of contexts to come")
ctl("destroy %s\n" % name)
equal(limit(s), before, "destroyed through ctl it gives it back")
equal(do(s, "context.limit(1000) local r = {context.spawn('')} context.limit(0) return r[1], r[2]"), "nil\t18", "a limit below minalloc")
equal(do(s, "context.limit(1 << 40) local r = {context.spawn('')} context.limit(0) return r[1], r[2]"), "nil\t26", "one that the creator has not")
tight = new_state("64K")
equal(do(tight, "return context.spawn('')"), "nil\t26", "a creator without room has no contexts")
ctl("destroy %s\n" % tight)
deep = new_state("3M")
do(deep, "chain = [[local c, text, n = require 'context', ... n = tonumber(n) c.limit((lunatik.limits()) - 70000) local h, err = c.spawn(text, text, n + 1) "
         "if h then c.recv(h, function(_, _, _, ...) c.send(c.parent, ...) end) else c.send(c.parent, n, err) end c.recv(c.parent)]]")
like(do(deep, "context.limit(2900000) local h = context.spawn(chain, chain, 1) local r = {context.recv(h)} return r[4], r[5]"), r"^\d+\t49$", "a name that would be too long ends a chain of contexts")
family = [name for name in states() if name.startswith(deep + ".")]
check(len(family) > 10, "of more than ten", family)
middle = sorted(family, key=len)[len(family) // 2]
ctl("destroy %s\n" % middle)
equal(len([name for name in states() if name.startswith(deep + ".")]), len(family) - 1, "one in the middle is destroyed, those after it live")
for name in sorted(family, key=len, reverse=True):
    error_of(ctl, "destroy %s\n" % name)
equal(limit(deep), 3 << 20, "in the end all of the limit is where it came from")
parent = new_state("1M")
equal(do(parent, "H = context.spawn([[local c = require 'context' c.recv(0, function(_, from, s, x) c.reply(from, s, x) end)]]) return context.query(H, 1)"), "true\t1", "a context of a state")
orphan = "%s.%s" % (parent, execute(parent, "return H"))
ctl("destroy %s\n" % parent)
equal(do(s, "return context.query(context.find('%s'), 'alive')" % orphan), "true\talive", "outlives it")
ctl("destroy %s\n" % orphan)
equal(execute(s, "return context.query == nil"), "false", "a context that is ctl's to use:")
do(s, "H = context.spawn('x = 42 require [[context]].recv(0, function() end)')")
name = "%s.%s" % (s, execute(s, "return H"))
check(soon(lambda: error_of(ctl, "execute %s return x\n" % name) is None and execute(name, "return x") == "42"), "execute works in it")
execute(name, "require('context').recv(0, nil)")
check(gone(name), "and it ends after a request that left nothing pending")

# --- many ---

RING = max(50, int(400 * SCALE))
big = new_state("%dM" % (RING // 10 + 4))
node = ("local c = require 'context' local _, _, _, next = c.recv(c.parent) while true do local ok, from, _, n = c.recv(0) "
        "if n == 'end' then break end c.send(next, n + 1) end")
equal(do(big, "local first, all = nil, {} for i = 1, %d do all[i] = assert(context.spawn([[%s]])) end timer.sleep(0.1) for i = 1, #all do context.send(all[i], all[i + 1] or context.self) end "
              "timer.sleep(0.05) for round = 1, 3 do context.send(all[1], 0) local _, _, _, n = context.recv(all[#all]) if n ~= #all then return n end end "
              "for i = 1, #all do context.send(all[i], 'end') end for i = 1, #all do context.wait(all[i]) end return 'round'" % (RING, node)), "round", "%d contexts in a ring" % RING)
equal(([name for name in states() if name.startswith(big + ".")], limit(big)), ([], (RING // 10 + 4) << 20), "all end, all limits go back")
cpus = do(big, "local seen, n = {}, 0 for i = 1, 16 do context.recv(context.spawn([[local c = require 'context' for i = 1, 1000000 do end c.send(c.parent, c.thread())]]), function(_, _, _, cpu) "
               "n = n + 1 seen[cpu] = true end) end while n < 16 do timer.sleep(0.01) end local all = 0 for _ in pairs(seen) do all = all + 1 end return all")
check(int(cpus) >= min(2, os.cpu_count()), "contexts run on all processors", cpus)


def crunch(n):
    return float(do(big, "local n, began = 0, os.clock() for i = 1, %d do context.recv(context.spawn([[for i = 1, %d do end require('context').send(require('context').parent, 1)]]), "
                         "function() n = n + 1 end) end while n < %d do timer.sleep(0.002) end return os.clock() - began" % (n, 3000000 * max(SCALE, 0.3), n)))


one, four = crunch(1), crunch(4)
diag("a loop in one context %.2f s, in each of four %.2f s: %.1f of %d processors at work" % (one, four, 4 * one / four, os.cpu_count()))
for i in range(max(5, int(20 * SCALE))):
    name = new_state("1M")
    start(name, "for i = 1, 5 do context.spawn([[local c = require 'context' for i = 1, %d do c.query(c.parent, i, function() end) c.send(c.parent, i) end c.wait(c.parent)]]) end "
                "context.recv(0, function(_, from, session, i) if session >= 0 then context.reply(from, session, i) end end) context.wait(%s)" % (i * 7, execute(s, "return context.self")))
    time.sleep(0.002 * (i % 7))
    ctl("destroy %s\n" % name)
check(soon(lambda: not [n for n in states() if n.startswith(PREFIX) and n not in (s, a, deep, big)], PATIENCE), "destroyed amid messages, states and their contexts go", states())
equal(do(s, "return echo('still', {1})"), "true", "and messages still go")
for name in (big, deep):
    ctl("destroy %s\n" % name)
equal(limit(s), before, "no limit is lost")
if os.path.isdir(FOLDER):
    __import__("shutil").rmtree(FOLDER)
finished()
