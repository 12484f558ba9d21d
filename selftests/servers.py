#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The servers of lua/examples: echo, HTTP (curl, wrk), Redis (redis-cli, redis-benchmark), chat, a load balancer."""
import os
import shutil
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/lib")
from lunatik import *  # noqa

EXAMPLES = os.path.join(HERE, "../lua/examples")
if not os.path.isdir(EXAMPLES):
    skip_all("the examples are not here")
subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
port = 24000 + os.getpid() % 20000


def serve(example, maxalloc, setting=""):
    """A state that runs an example, and its port."""
    global port
    port += 1
    name = new_state(maxalloc)
    execute(name, "port = %d %s" % (port, setting))
    with open("%s/%s.lua" % (EXAMPLES, example)) as f:
        equal(load(name, f.read()), None, "%s starts" % example)
    # A callback is live a moment after the script is published.
    soon(lambda: error_of(lambda: socket.create_connection(("127.0.0.1", port), 5).close()) is None)
    return name, port


def connect(port):
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.settimeout(20)
    return s


def receive(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(min(n - len(data), 1 << 20))
        if not part:
            break
        data += part
    return data


def line(s):
    data = b""
    while not data.endswith(b"\n"):
        part = s.recv(1)
        if not part:
            break
        data += part
    return data.decode()


def run(*command, **more):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=60, **more).stdout
    except (OSError, subprocess.TimeoutExpired) as e:
        return repr(e)


def good(name):
    """No script or callback of the state has failed."""
    return stats(name)["errors"] == "0" or diag(slurp(code(name)))


plan(52)

# --- echo ---

echo, at = serve("echo_tcp", "1M")
sent = os.urandom(1000000)
peers = [connect(at) for _ in range(3)]
for s in peers:
    s.sendall(b"hello")
equal([receive(s, 5) for s in peers], [b"hello"] * 3, "three peers are echoed")
writer = threading.Thread(target=peers[0].sendall, args=(sent,))
writer.start()
check(receive(peers[0], len(sent)) == sent, "a million bytes as well")
writer.join()
for s in peers:
    s.close()
check(soon(lambda: good(echo)), "without an error")
ctl("destroy %s\n" % echo)
equal(error_of(connect, at), "ECONNREFUSED", "nobody listens when the state is gone")

# --- HTTP ---

web, at = serve("http", "4M")
url = "http://127.0.0.1:%d" % at
like(run("curl", "-si", url + "/"), r"(?s)^HTTP/1.1 200 OK\n.*Content-Length: \d+\n\n.*in the kernel", "curl gets the page")
like(run("curl", "-si", url + "/none"), r"(?s)^HTTP/1.1 404 .*not found", "and what is not there")
equal(run("curl", "-s", url + "/count", url + "/count", "-w", "%{num_connects};"), "1\n1;2\n0;", "two requests on one connection")
like(run("curl", "-sI", url + "/"), r"(?s)^HTTP/1.1 200 .*Content-Length: \d\d+\n\n$", "HEAD: no body")
like(run("curl", "-si", "-d", "x=1", url + "/"), r"(?s)^HTTP/1.1 405 .*Connection: close", "POST is refused")
like(run("curl", "-si", "-0", url + "/"), r"^HTTP/1.1 200 ", "HTTP/1.0")
execute(web, "pages['/new'] = ('n'):rep(100000) pages['/bad'] = function() error('page') end pages['/q'] = function(q) return q .. '!' end")
equal(len(run("curl", "-s", url + "/new")), 100000, "a page of 100,000 bytes that was not there before")
like(run("curl", "-si", url + "/bad"), r"^HTTP/1.1 500 ", "a page that fails")
equal(run("curl", "-s", url + "/q?a=b"), "a=b!", "a query")
s = connect(at)
s.sendall(b"GET /q?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /q?2 HTTP/1.1\r\nHost: x\r\n\r\nGET /q?3 HTTP/1.1\r\nConnec")
s.sendall(b"tion: close\r\n\r\n")
text = receive(s, 1 << 20).decode()
equal([text.count("%d!" % i) for i in (1, 2, 3)], [1, 1, 1], "pipelined requests, one of them in parts, are answered, and the connection closed")
s.close()
for what, bad, status in (("no request", b"hello\r\n\r\n", b"400"), ("another version", b"GET / HTTP/2.0\r\n\r\n", b"505"), ("an endless head", b"x" * 9000, b"431")):
    s = connect(at)
    s.sendall(bad)
    equal(receive(s, 12)[9:], status, what)
    s.close()
if check(shutil.which("wrk"), "wrk is here"):
    out = run("wrk", "-t1", "-c16", "-d2s", url + "/")
    check("Requests/sec:" in out, "wrk runs", out)
    check("Non-2xx" not in out and "Socket errors" not in out, "without an error", out)
    diag(out.splitlines()[-2] if out.count("\n") > 2 else out)
check(good(web), "no error in the state")
check(soon(lambda: curralloc(web) < 4 << 20), "within its limit")

# --- Redis ---

store, at = serve("redis", "16M")


def redis(*words):
    return run("redis-cli", "-p", str(at), *words).rstrip("\n")


equal(redis("ping"), "PONG", "redis-cli: ping")
equal((redis("set", "greeting", "hello"), redis("get", "greeting")), ("OK", "hello"), "set, get")
equal(execute(store, "return store.greeting"), "hello", "the state's own scripts see it")
equal((redis("incr", "n"), redis("incrby", "n", "41"), redis("incr", "greeting")), ("1", "42", "ERR value is not an integer or out of range"), "counters")
equal((redis("rpush", "l", "a", "b", "c"), redis("lpush", "l", "z"), redis("lrange", "l", "0", "-1"), redis("rpop", "l"), redis("llen", "l")),
      ("3", "4", "z\na\nb\nc", "c", "3"), "lists")
equal((redis("hset", "h", "f", "1", "g", "2"), redis("hget", "h", "g"), redis("get", "h")),
      ("2", "2", "WRONGTYPE Operation against a key holding the wrong kind of value"), "hashes, and what they are not")
redis("set", "t", "x", "ex", "100")
check(int(redis("ttl", "t")) in range(60, 101), "times to live")
equal((redis("expire", "t", "-1"), redis("exists", "t"), redis("ttl", "greeting"), redis("ttl", "none")), ("1", "0", "-1", "-2"), "a time that is over")
equal((redis("set", "greeting", "y", "nx"), redis("del", "greeting", "none"), redis("get", "greeting")), ("", "1", ""), "nx, del")
equal(sorted(redis("keys", "*").split()), ["h", "l", "n"], "keys")
like(redis("nonsense"), "ERR unknown command", "an unknown command")
s = connect(at)
s.sendall(b"PING\r\n*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n*1\r\n$4\r\nPI")
s.sendall(b"NG\r\n")
equal(receive(s, 23), b"+PONG\r\n$3\r\nabc\r\n+PONG\r\n", "inline, pipelined, in parts")
s.sendall(b"*1\r\n$99999999\r\n")
like(receive(s, 100), "Protocol error", "what is too long ends the connection")
s.close()
out = run("redis-benchmark", "-p", str(at), "-t", "ping,set,get,incr,lpush,rpush,lpop,rpop,mset", "-n", "300", "-c", "20", "-P", "4", "-q")
check(out.count("requests per second") >= 8 and "rror" not in out, "redis-benchmark", out)
check(good(store), "no error in the state")

# --- chat ---

chat, at = serve("chat", "4M")
a, b, c = (connect(at) for _ in range(3))
a.sendall(b"ann\n")
check(soon(lambda: execute(chat, "local n = 0 for _ in pairs(people) do n = n + 1 end return n") == "1"), "one is there")
b.sendall(b"bob\n")
equal(line(a), "* bob is here\n", "another comes")
c.sendall(b"cy\n")
equal((line(a), line(b)), ("* cy is here\n",) * 2, "all are told")
a.sendall(b"hello\nagain\n")
equal((line(b), line(b), line(c), line(c)), ("ann: hello\n", "ann: again\n") * 2, "what one says all others get")
a.close()
equal((line(b), line(c)), ("* ann has left\n",) * 2, "one leaves")
check(good(chat), "no error in the state")

# --- a load balancer before two of them ---

web2, at2 = serve("http", "4M", "pages = {['/who'] = 'two'}")
execute(web, "pages['/who'] = 'one'")
_, at = serve("balance", "4M", "backends = {{'127.0.0.1', %s}, {'127.0.0.1', %d}}" % (url.rsplit(":", 1)[1], at2))
url = "http://127.0.0.1:%d/who" % at
got = [run("curl", "-s", url) for _ in range(6)]
equal(sorted(got), ["one"] * 3 + ["two"] * 3, "connections go to both in turn")
ctl("destroy %s\n" % web2)
equal([run("curl", "-s", url) for _ in range(4)], ["one"] * 4, "one is gone: all go to the other")
out = run("wrk", "-t1", "-c8", "-d1s", url)
check("Requests/sec" in out and "Socket errors" not in out, "wrk through the balancer", out)
finished()
