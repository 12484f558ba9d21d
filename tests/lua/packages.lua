-- SPDX-License-Identifier: GPL-2.0-only
-- require and package, with the modules in the folder beside this.

local function failed(...) return (select(2, pcall(...))) end

local m = require("simple")
print(m.name, m.file, m.line, require("simple") == m, package.loaded.simple == m)
print(require("folder"), package.loaded.folder)
print(require("string") == string, require("_G") == _G, require("package") == package)

-- what a loader gets and gives
package.preload.given = function(...) return table.concat({...}, "+") end
package.preload.silent = function() end
package.preload.placed = function(name) package.loaded[name] = "placed" end
package.preload.no = function() return false end
print(require("given"), require("silent"), require("placed"), require("no"), package.loaded.no)
table.insert(package.searchers, 1, function(name)
  if name == "made" then return function(...) return {...} end, "extra" end
  return name == "told" and "\n\ttold so" or nil
end)
print(table.unpack(require("made")))
print(failed(require, "told"))
table.remove(package.searchers, 1)

-- errors
print(failed(require, "absent.module"))
print(failed(require, "wrong"))
print(failed(require, "raises"))
print(failed(require, "one"))
print(failed(require), failed(require, {}))
package.path = "/lib/modules/lua/?.x;./?.lua;/etc/?;/lib/modules/lua/../?;/lib/modules/lua/..;/lib/modules/luax/?"
print(failed(require, "absent"))
package.path = nil
print(failed(require, "absent"))
package.path = "/lib/modules/lua/?.lua"
local searchers = package.searchers
package.searchers = nil
print(failed(require, "absent"))
package.searchers = {}
print(failed(require, "absent"))
package.searchers = searchers

-- searchpath
print(package.searchpath("simple", package.path), package.searchpath("folder.init", package.path))
print(package.searchpath("folder-init", "/lib/modules/lua/?.lua", "-", "/"), package.searchpath("a.b", ";;/lib/modules/lua/?;;", ""))
print(#select(2, package.searchpath("x", ("?;"):rep(300))))
print(package.config:gsub("\n", "|"))

-- in coroutines, and from where a wait cannot be
package.loaded.simple = nil
local co = coroutine.wrap(function() coroutine.yield(require("simple").name) return "end" end)
print(co(), co())
package.preload.yields = function() return coroutine.yield("out") end
co = coroutine.wrap(function() return require("yields") end)
print(co(), co("in"), package.loaded.yields)
