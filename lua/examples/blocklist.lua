-- SPDX-License-Identifier: GPL-2.0-only
-- A blocklist of names, for a router: DNS queries for them, and TLS connections to them, end here.
--
-- A name blocks all below it, too: "example.com" blocks www.example.com, but not example.community. Looked at are the
-- first question of a query over UDP, and the server name in a TLS ClientHello, which is sent in the clear. What does not
-- parse is none of our business and passes. Not seen: DNS within TLS, HTTPS or QUIC, an encrypted ClientHello, and a ClientHello
-- whose server name lies beyond its first segment.
--
--   echo 'execute fw BLOCKED = {["example.com"] = true}' > /proc/lunatik/ctl
--   cat blocklist.lua > /sys/kernel/lunatik/fw/code
BLOCKED = BLOCKED or { ["example.com"] = true, ["ads.example.net"] = true }
HOOK = HOOK or "forward"

lunatik.replace()
local netfilter = require "netfilter"

local TCP, UDP = 6, 17

-- Is `name`, or a domain that it lies in, on the list?
local function is_blocked(name)
    name = name:lower()
    while true do
        if BLOCKED[name] then return true end
        local dot = name:find(".", 1, true)
        if not dot then return false end
        name = name:sub(dot + 1)
    end
end

-- The first question of a DNS message: labels, each with its length before it, up to one of length 0 (RFC 1035, 4.1.2).
local function question(pkt, at)
    local flags, questions = pkt:unpack(">I2I2", at + 2)
    if flags & 0x8000 ~= 0 or questions == 0 then return end
    local labels, pos = {}, at + 12
    repeat
        local label
        label, pos = pkt:unpack("s1", pos)
        labels[#labels + 1] = label
    until #label == 0 or #labels > 127
    return table.concat(labels, ".", 1, #labels - 1)
end

-- The server name of a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3).
local function server_name(pkt, at)
    local content, version, _, handshake = pkt:unpack(">B I2 I2 B", at)
    if content ~= 22 or version >> 8 ~= 3 or handshake ~= 1 then return end
    -- Record header, handshake header, version, random; then session, cipher suites, compression.
    local session, ciphers, compression, length, pos = pkt:unpack(">s1 s2 s1 I2", at + 5 + 4 + 2 + 32)
    local stop = pos + length
    while pos < stop do
        local kind, size
        kind, size, pos = pkt:unpack(">I2 I2", pos)
        if kind == 0 then
            local what, name = pkt:unpack(">B s2", pos + 2)
            return what == 0 and name or nil
        end
        pos = pos + size
    end
end

-- unpack raises an error where the packet ends too soon: whoever cut it gets no name out of us.
local function name_of(pkt, parse)
    local ok, name = pcall(parse, pkt, pkt.payload)
    return ok and name or nil
end

netfilter.register {
    family = "inet", hook = HOOK, priority = "filter", onerror = "accept",
    call = function(pkt)
        if (pkt.payload_len or 0) < 12 then return end
        local protocol, port, what, name = pkt.protocol, pkt.dport
        if protocol == UDP and port == 53 then
            what, name = "dns", name_of(pkt, question)
        elseif protocol == TCP and port == 443 then
            what, name = "tls", name_of(pkt, server_name)
        end
        if name and is_blocked(name) then
            netlink.send(("blocklist %s %s asked for %s\n"):format(what, pkt.saddr, name))
            return "drop"
        end
    end
}
