-- SPDX-License-Identifier: GPL-2.0-only
-- A port-knocking gate: PORT answers only those who knocked at the right ports in the right order.
--
-- A knock is a SYN or a UDP packet; it is dropped like any other, so nothing on the wire tells that somebody listens. A wrong
-- knock among the right ones begins from the start, and so does a pause: whoever just scans all ports in order gets
-- nowhere. An open gate lets new connections in; those that exist already go on when it closes again.
--
--   cat knock.lua > /sys/kernel/lunatik/fw/code
--   for p in 7001 9003 8002; do nc -w0 -u gate $p <<<x; done; ssh gate
KNOCKS = KNOCKS or { 7001, 9003, 8002 }
PORT = PORT or 22
PATIENCE = PATIENCE or 5    -- seconds from the first knock to the last
OPEN = OPEN or 30           -- seconds that the gate stays open for a source
SOURCES = SOURCES or 500    -- sources known at once

lunatik.replace()
local netfilter = require "netfilter"

local TCP, UDP = 6, 17
local is_knock = {}
for _, port in ipairs(KNOCKS) do is_knock[port] = true end

-- For each source what it knocked so far, or true for an open gate.
local progress, known = {}, 0
-- A source's entry goes by a timer of its own; another entry since then is another table, and stays.
local entries = {}

local function forget(source, entry)
    if entries[source] == entry then
        entries[source], progress[source] = nil, nil
        known = known - 1
    end
end

local function remember(source, state, seconds)
    if not entries[source] then
        if known >= SOURCES then return end
        known = known + 1
    end
    local entry = {}
    entries[source], progress[source] = entry, state
    timer.timeout(seconds, source, entry, forget)
end

netfilter.register {
    family = "inet", hook = "input", priority = "filter", onerror = "drop",
    call = function(pkt)
        local port = pkt.dport
        if not port then return end
        local protocol = pkt.protocol
        if not (protocol == UDP or protocol == TCP and pkt.syn and not pkt.ack) then return end
        local source = pkt.saddr_b
        local state = progress[source]
        if port == PORT then
            if protocol == TCP and state ~= true then return "drop" end
            return
        end
        if state == true then
            if is_knock[port] then return "drop" end
            return
        end
        if port == KNOCKS[(state or 0) + 1] then
            state = (state or 0) + 1
            if state == #KNOCKS then
                remember(source, true, OPEN)
                netlink.send(("knock %s is let in for %d s\n"):format(pkt.saddr, OPEN))
            elseif state == 1 then
                remember(source, 1, PATIENCE)
            else
                progress[source] = state
            end
            return "drop"
        end
        -- A wrong one. What was right is forgotten when its time is over, or overwritten.
        if state then progress[source] = 0 end
        if is_knock[port] then return "drop" end
    end
}
