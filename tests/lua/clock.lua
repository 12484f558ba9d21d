-- SPDX-License-Identifier: GPL-2.0-only
-- os: dates in UTC by the civil calendar, normalisation, every conversion, errors.

print(os.date("!%c", 0), os.date("!%x %X %p", 45296))
print(os.date("!%a %A %b %B %d %e %H %I %j %m %M %S %u %w %y %Y %C %D %F %R %T %r %h %n%t%% %z %Z", 951782399))
print(os.date("!%U %W %V %G %g", 951782400), os.date("!%U %W %V %G %g", 1230768000), os.date("!%V %G", 1262304000), os.date("!%Ex %OH", 0))
for _, day in ipairs({{2008, 12, 28}, {2008, 12, 29}, {2010, 1, 3}, {2010, 1, 4}, {2020, 12, 31}, {2021, 1, 1}, {2016, 2, 29}, {1970, 1, 1}, {1969, 12, 31}, {2100, 2, 28}}) do
  local t = os.time({year = day[1], month = day[2], day = day[3], hour = 12})
  print(t, os.date("!%F %a %j %V %G %U %W", t))
end
local d = os.date("*t", 1709210096)
print(d.year, d.month, d.day, d.hour, d.min, d.sec, d.wday, d.yday, d.isdst)
print(os.time(d), os.time({year = 2024, month = 14, day = -3, hour = 25, min = -70, sec = 3700}))
local n = {year = 2023, month = 12, day = 32}
os.time(n)
print(n.year, n.month, n.day, n.hour, n.wday, n.yday)
for t = -10^10 // 1, 10^10 // 1, 123456789 do
  t = t // 1 | 0
  assert(os.time(os.date("!*t", t)) == t)
end
print(pcall(os.date, "%Ez", 0), pcall(os.date, "%Q", 0), pcall(os.date, "%", 0), pcall(os.date, "%O", 0))
print(pcall(os.time, {year = 2000}), pcall(os.time, {year = 2000, month = "x", day = 1}), pcall(os.time, {year = 2000, month = 1, day = 1 << 40}))
print(pcall(os.date, "*t", math.maxinteger), pcall(os.date, "%Y", "x"), os.date("", 0) == "")
print(os.difftime(10, 5), math.type(os.time()), os.time() > 1700000000, os.clock() >= 0, math.type(os.clock()))
