-- SPDX-License-Identifier: GPL-2.0-only
-- A rate limiter: so many new connections a second from one source, and no more.
--
-- A token bucket for each source: a SYN or a UDP packet costs a token, a bucket holds BURST of them and gets RATE more a
-- second. What TCP sends once it is connected costs nothing. A bucket that is full again is thrown away, so the table holds
-- those who were here lately, and nobody else.
--
--   cat ratelimit.lua > /sys/kernel/lunatik/fw/code
--   cat /sys/kernel/lunatik/fw/data              # who is over the limit, and by how much
--
-- Settings are globals: set them before, by `execute fw RATE = 5`.
RATE = RATE or 20           -- tokens a second
BURST = BURST or 40         -- the most that a bucket holds
SOURCES = SOURCES or 500    -- buckets at most: a flood from made-up addresses must not eat the memory
HOOK = HOOK or "input"      -- "forward" on a router

lunatik.replace()
local netfilter = require "netfilter"

local TCP, UDP = 6, 17
local tokens, refused, sources = {}, {}, 0

-- IPv6 gives every host 2^64 addresses to play with, so what is limited there is the network of 64 bits.
local function source(pkt)
    local address = pkt.saddr_b
    return address and address:sub(1, 8)
end

local function name(key)
    if #key == 4 then return ("%d.%d.%d.%d"):format(key:byte(1, 4)) end
    return ("%x:%x:%x:%x::/64"):format(string.unpack(">I2I2I2I2", key))
end

netfilter.register {
    family = "inet", hook = HOOK, priority = "filter", onerror = "accept",
    call = function(pkt)
        local protocol = pkt.protocol
        if protocol == TCP then
            if not pkt.syn or pkt.ack then return end
        elseif protocol ~= UDP then
            return
        end
        local key = source(pkt)
        local left = tokens[key]
        if not left then
            -- Who comes when the table is full waits until there is room: a second at most, if buckets fill in that time.
            if sources >= SOURCES then return "drop" end
            sources = sources + 1
            left = BURST
        end
        if left < 1 then
            refused[key] = (refused[key] or 0) + 1
            return "drop"
        end
        tokens[key] = left - 1
    end
}

local STEP = 0.1
timer.loop(STEP, STEP, function()
    for key, left in pairs(tokens) do
        left = left + RATE * STEP
        if left >= BURST then
            tokens[key] = nil
            sources = sources - 1
        else
            tokens[key] = left
        end
    end
end)

-- netlink.send never waits: with nobody reading, what does not fit is lost, and the firewall goes on.
timer.loop(1, 1, function()
    local lines = {}
    for key, count in pairs(refused) do
        lines[#lines + 1] = ("ratelimit %s refused %d"):format(name(key), count)
        refused[key] = nil
    end
    if #lines > 0 then netlink.send(table.concat(lines, "\n") .. "\n") end
end)
