-- SPDX-License-Identifier: GPL-2.0-only
-- Far more finalizers than a step of the collector calls when time is up.

local called, meta = 0, {}
meta.__gc = function() called = called + 1 end
for i = 1, 4000 do
  setmetatable({}, meta)
  if i % 100 == 0 then collectgarbage("step", 0) end
end
collectgarbage()
collectgarbage()
print("called", called)
