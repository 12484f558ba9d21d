-- SPDX-License-Identifier: GPL-2.0-only
-- The firewall of the package's test: what comes for 10.9.0.7 is dropped.
lunatik.replace()
local netfilter = require "netfilter"

netfilter.register {
	family = "ipv4", hook = "input", priority = "filter", onerror = "drop",
	call = function(packet)
		if packet.daddr == "10.9.0.7" then return "drop" end
	end,
}
