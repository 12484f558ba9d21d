# SPDX-License-Identifier: GPL-2.0-only
"""Against the compiler: nesting, its tables' limits, literals without end."""
M4 = 4 << 20


def nested(begin, middle, end, n=400, prefix=""):
    return prefix + begin * n + middle + end * n


FAMILIES = (
    ("nesting", "200 C levels of the parser", M4, "nesting", (
        nested("(", "1", ")", prefix="return "), nested("{", "", "}", prefix="return "), nested("function() return ", "1", " end", prefix="return "), nested("do ", "", " end"),
        nested("while true do ", "break", " end"), nested("if x then ", "", " end"), nested("for i = 1, 1 do ", "", " end"), nested("repeat ", "", " until true"), nested("- ", "1", "", prefix="return "),
        nested("not ", "1", "", prefix="return "), nested("1 .. ", "1", "", prefix="return "), nested("2 ^ ", "1", "", prefix="return "), nested("f(", "", ")"), nested("t[", "1", "]", prefix="return "),
        nested("(function() ", "", " end)()", prefix="return "))),
    ("limits", "registers, locals, upvalues", M4, "limit", (
        "".join("local a%d " % i for i in range(201)), "local " + ", ".join("a%d" % i for i in range(250)), "f(" + ", ".join("1" for _ in range(260)) + ", x.y)",
        "".join("local a%d " % i if i % 150 else "local function f%d() local a%d " % (i, i) for i in range(1, 300)) + "return function() return " + " + ".join("a%d" % i for i in range(1, 300)) + " end",
        "return function(" + ", ".join("a%d" % i for i in range(256)) + ") end", "local t = x " + "".join("goto l%d " % i for i in range(3)) + "local " + ", ".join("b%d" % i for i in range(240)))),
    ("wide source", "maxalloc", M4, "done memory nesting error", (
        "return {" + "1, " * 20000 + "}", "local t = {} " + "".join("t[%d.5] = 'k%d' " % (i, i) for i in range(4000)), "x = 1\n" * 20000, "goto e " + ";" * 50000 + " ::e::",
        "if x then " + "x = y " * 20000 + " end", "".join("if x == %d then y = %d elseif" % (i, i) if not i else " x == %d then y = %d elseif" % (i, i) for i in range(3000)) + " z then end", "".join("::l%d:: " % i for i in range(2000)),
        "return " + " + ".join("x%d" % i for i in range(5000)), "-- " + "x" * 200000)),
    ("literals", "maxalloc", 64 << 10, "done memory", (
        "return #'" + "x" * 100000 + "'", "return #[[" + "y" * 100000 + "]]", "return " + "9" * 20000, "return 0x" + "f" * 20000, "return 0." + "0" * 20000 + "1", "return 1e" + "9" * 5000, "--[" + "=" * 30000 + "[ ]" + "=" * 30000 + "] x = 1",
        "x" * 30000 + " = 1", "return '" + "\\65" * 20000 + "'", "return '" + "\\u{10FFFF}" * 10000 + "'", "return '" + "\\z \\n" * 10000 + "'")),
    ("broken source", "the parser's errors", 64 << 10, "syntax", (
        "return +", "x = = 1", "'unfinished", "[[unfinished", "--[==[ unfinished", "return 0x", "return 1e", "return '\\400'", "return '\\u{110000000}'", "return '\\q'", "goto nowhere", "::a:: ::a:: near", "\x1bLua", "break", "local x <const> = 1")),
)
