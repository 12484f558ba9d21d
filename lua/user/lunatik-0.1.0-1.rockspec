-- SPDX-License-Identifier: GPL-2.0-only
-- For `luarocks make lua/user/lunatik-0.1.0-1.rockspec` in the checkout: builds and installs the libraries and the command, not
-- the kernel module.
package = "lunatik"
version = "0.1.0-1"
source = {
	url = "file://lunatik-0.1.0.tar.gz",
}
description = {
	summary = "Lua 5.3 inside the Linux kernel: the libraries and the command for user space",
	license = "GPL-2.0-only",
}
supported_platforms = { "linux" }
dependencies = { "lua ~> 5.3" }
build = {
	type = "make",
	build_target = "user",
	install_target = "install-user",
	build_variables = { CC = "$(CC)", CFLAGS = "$(CFLAGS)" },
	install_variables = { PREFIX = "$(PREFIX)", LUADIR = "$(LUADIR)", LIBDIR = "$(LIBDIR)", BINDIR = "$(BINDIR)" },
}
