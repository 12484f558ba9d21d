-- SPDX-License-Identifier: GPL-2.0-only
-- A flow counter: packets and bytes of each flow, to be read every INTERVAL seconds.
--
-- A flow is what shares addresses, protocol and ports, in one direction. The key is the bytes as they stand in the packet:
-- no text is made but for the report. A flow that was idle for a whole interval is forgotten.
--
--   cat flows.lua > /sys/kernel/lunatik/fw/code
--   cat /sys/kernel/lunatik/fw/data
INTERVAL = INTERVAL or 10
FLOWS = FLOWS or 300        -- at most; what comes beyond them counts as one
HOOK = HOOK or "forward"

lunatik.replace()
local netfilter = require "netfilter"

local packets, bytes, names, known = {}, {}, {}, 0
local others, other_bytes = 0, 0

local function name(pkt)
    local six = pkt.version == 6
    local form = six and "%s [%s]:%d > [%s]:%d" or "%s %s:%d > %s:%d"
    return form:format(({ [1] = "icmp", [6] = "tcp", [17] = "udp", [58] = "icmp6" })[pkt.protocol] or pkt.protocol,
        pkt.saddr, pkt.sport or 0, pkt.daddr, pkt.dport or 0)
end

netfilter.register {
    family = "inet", hook = HOOK, priority = -1, onerror = "accept",
    call = function(pkt)
        local sport = pkt.sport
        -- Later fragments have no ports: they count as a flow of their own.
        local ports = sport and sport << 16 | pkt.dport or -1
        local key = pkt.saddr_b .. pkt.daddr_b .. (ports << 8 | (pkt.protocol or 255))
        local count = packets[key]
        if not count then
            if known >= FLOWS then
                others, other_bytes = others + 1, other_bytes + pkt.len
                return
            end
            known = known + 1
            names[key], bytes[key], count = name(pkt), 0, 0
        end
        packets[key] = count + 1
        bytes[key] = bytes[key] + pkt.len
    end
}

timer.loop(INTERVAL, INTERVAL, function()
    local lines = {}
    for key, count in pairs(packets) do
        if count > 0 then
            lines[#lines + 1] = ("flow %s %d packets %d bytes"):format(names[key], count, bytes[key])
            packets[key], bytes[key] = 0, 0
        else
            packets[key], bytes[key], names[key] = nil, nil, nil
            known = known - 1
        end
    end
    if others > 0 then
        lines[#lines + 1] = ("flow others %d packets %d bytes"):format(others, other_bytes)
        others, other_bytes = 0, 0
    end
    if #lines > 0 then netlink.send(table.concat(lines, "\n") .. "\n") end
end)
