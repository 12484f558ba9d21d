# SPDX-License-Identifier: GPL-2.0-only
"""Memory of an idle state: what Lua uses, how much of it is each library's, and all that the kernel gives for it."""
import re
import time

from lib import row, section
import lunatik

STATES = 200

# Takes a library away and says how many bytes that freed; `string` is also the index of all strings.
WITHOUT = """local name = %r
local function used() collectgarbage() collectgarbage() local _, bytes = lunatik.limits() return bytes end
local library, before = _G[name], used()
for key in pairs(library) do if type(library[key]) ~= "table" then library[key] = nil end end
_G[name] = nil
if name == "string" then getmetatable("").__index = nil end
library = nil
return before - used()"""


def meminfo():
    """Bytes by name."""
    return {key: int(kib) * 1024 for key, kib in re.findall(r"^(\w+): +(\d+) kB", lunatik.slurp("/proc/meminfo"), re.M)}


def settle():
    # What was destroyed is freed in the background.
    time.sleep(2)
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def main(_):
    section("Memory of an idle state", "bytes")
    name = lunatik.new_state()
    row("in use by Lua (curralloc)", lunatik.curralloc(name), "bytes")
    libraries = lunatik.execute(name, 'local t = {} for k, v in pairs(_G) do if type(v) == "table" and k ~= "_G" then t[#t + 1] = k end end '
                                "table.sort(t) return table.unpack(t)").split("\t")
    for library in libraries:
        name = lunatik.new_state()
        if library == "lunatik":
            continue
        error, freed = lunatik.ask(name, WITHOUT % library)
        if error:
            raise RuntimeError("%s: %s" % (library, freed))
        row("  of it, library " + library, int(freed), "bytes")
    for limit in ("32K", "64K", "1M"):
        settle()
        before = meminfo()
        names = [lunatik.new_state(limit) for _ in range(STATES if limit != "1M" else STATES // 5)]
        settle()
        after = meminfo()
        used = (before["MemFree"] - after["MemFree"]) // len(names)
        row("all kernel memory, limit " + limit, used, "bytes")
        for kind in ("Slab", "VmallocUsed"):
            row("  %s in /proc/meminfo" % kind, (after[kind] - before[kind]) // len(names), "bytes")
        for name in names:
            lunatik.ctl("destroy %s\n" % name)
