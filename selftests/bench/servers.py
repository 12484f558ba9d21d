# SPDX-License-Identifier: GPL-2.0-only
"""Servers: the HTTP server and the Redis-protocol store of lua/examples beside nginx (one worker, a static page, no log)
and redis-server, asked by the same clients over loopback: wrk and redis-benchmark, whose own instructions count, too. With
one CPU that is always busy, a second is a thousand million instructions.
"""
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time

from lib import row, section
import lunatik

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../lua/examples")
HTTP, NGINX, STORE, REDIS = 18080, 18081, 16379, 16380
PAGE = "<!doctype html><title>lunatik</title>" + "x" * 475
CONNECTIONS = 8

NGINX_CONF = """
worker_processes 1; daemon off; error_log stderr crit; pid %(dir)s/pid;
events { worker_connections 256; }
http { access_log off; keepalive_requests 1000000000; default_type text/html; sendfile on; tcp_nodelay on;
  client_body_temp_path %(dir)s; proxy_temp_path %(dir)s; fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
  server { listen 127.0.0.1:%(port)d; root %(dir)s; open_file_cache max=10; } }
"""


def listens(port):
    return lunatik.soon(lambda: lunatik.error_of(lambda: socket.create_connection(("127.0.0.1", port), 5).close()) is None)


def start(example, setting):
    name = lunatik.new_state("16M")
    lunatik.execute(name, setting)
    with open("%s/%s.lua" % (EXAMPLES, example)) as f:
        lunatik.load(name, f.read())
    return name


def requests(port):
    """Instructions a request, by wrk: what the wall clock of this guest says, divided by the requests of a run."""
    out = subprocess.run(["wrk", "-t1", "-c%d" % CONNECTIONS, "-d2s", "http://127.0.0.1:%d/" % port], capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec: *([\d.]+)", out)
    if not found or "Socket errors" in out or "Non-2xx" in out:
        raise SystemExit("bench: wrk failed: " + out)
    return int(1e9 / float(found.group(1)))


def commands(port, test):
    out = subprocess.run(["redis-benchmark", "-p", str(port), "-t", test, "-n", "4000", "-c", str(CONNECTIONS), "-q"],
                         capture_output=True, text=True).stdout
    found = re.findall(r"([\d.]+) requests per second", out)
    if not found:
        raise SystemExit("bench: redis-benchmark failed: " + out)
    return int(1e9 / float(found[-1]))


def main(_):
    if not (shutil.which("wrk") and shutil.which("redis-benchmark")):
        return
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    section("Servers", "request", "beside")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        with open(folder + "/index.html", "w") as f:
            f.write(PAGE)
        with open(folder + "/conf", "w") as f:
            f.write(NGINX_CONF % {"dir": folder, "port": NGINX})
        processes = [subprocess.Popen(["nginx", "-c", folder + "/conf"], stderr=subprocess.DEVNULL),
                     subprocess.Popen(["redis-server", "--port", str(REDIS), "--save", "", "--bind", "127.0.0.1", "--dir", folder],
                                      stdout=subprocess.DEVNULL)]
        try:
            start("http", "port = %d pages = {['/'] = '%s'}" % (HTTP, PAGE))
            start("redis", "port = %d" % STORE)
            for port in (HTTP, NGINX, STORE, REDIS):
                if not listens(port):
                    raise SystemExit("bench: nobody listens at port %d" % port)
            time.sleep(1)
            nginx = requests(NGINX)
            row("HTTP, 512 bytes: nginx", nginx, "instr")
            row("http.lua", requests(HTTP), "instr", nginx)
            for test in ("get", "set", "incr", "lpush"):
                redis = commands(REDIS, test)
                row("%s: redis-server" % test.upper(), redis, "instr")
                row("redis.lua", commands(STORE, test), "instr", redis)
        finally:
            for process in processes:
                process.terminate()
                process.wait()
