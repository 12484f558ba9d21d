-- SPDX-License-Identifier: GPL-2.0-only
-- The firewall of the package's test: packets of more than 500 bytes are dropped.
lunatik.replace()
local netfilter = require "netfilter"

netfilter.register {
	family = "ipv4", hook = "input", priority = "filter", onerror = "drop",
	call = function(packet)
		if #packet > 500 then return "drop" end
	end,
}
