-- SPDX-License-Identifier: GPL-2.0-only
-- The prompt of `lunatik repl`: reads Lua until it is whole, runs it in a state, prints results or the error. On a terminal
-- with line editing and history; else plain lines without a prompt. A script that runs is ended by Control-C.

local native = require "lunatik.native"
local ctl = require "lunatik.ctl"

local history = {}

-- The next line; nil at the end of the input, false for a line dropped.
local function line(prompt)
	if not native.isatty(0) then return io.read "L" end
	local text = native.readline(prompt, history)
	if text and text:match "%S" and text ~= history[#history] then history[#history + 1] = text end
	return text and text .. "\n"
end

-- Lua says of a chunk that ends too early where it stopped.
local function incomplete(message)
	return message:match "<eof>$"
end

-- A whole chunk, as the prompt of lua makes it; nil at the end of the input, false for one dropped. What does not compile is
-- left to the kernel to refuse.
local function chunk()
	local text = line "> "
	if not text then return text end
	text = text:gsub("^=", "return ")
	if load("return " .. text, "=stdin", "t") then return "return " .. text end
	while true do
		local good, message = load(text, "=stdin", "t")
		if good or not incomplete(message) then return text end
		local more = line ">> "
		if not more then return more == nil and text end
		text = text .. more
	end
end

-- repl(fd, state) -> exit status: 1 when the input was no terminal and its last chunk failed.
return function(fd, state)
	local status = 0
	native.interruptible()
	while true do
		local text = chunk()
		if text == nil then return native.isatty(0) and 0 or status end
		if text and text:match "%S" then
			local reply, message, _, why = ctl.run(fd, state, text, "=stdin")
			status = reply and 0 or 1
			if reply then
				io.write(reply)
			else
				io.stderr:write(why and why ~= "" and why or tostring(message) .. "\n")
			end
			io.flush()
		end
	end
end
