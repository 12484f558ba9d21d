/* SPDX-License-Identifier: GPL-2.0-only */
/* What native.c, readline.c and line.rs tell each other. */
#ifndef LUNATIK_NATIVE_H
#define LUNATIK_NATIVE_H

#include <stddef.h>
#include <lua.h>

#define LUNATIK_LINE_MAX	4096

struct lunatik_line {
	size_t len;
	size_t cursor;
	unsigned char escape;
	unsigned char number;
	char text[LUNATIK_LINE_MAX];
};

struct lunatik_view {
	size_t start;
	size_t end;
	size_t column;
};

enum lunatik_key { KEY_NOTHING, KEY_CHANGED, KEY_ENTER, KEY_END, KEY_INTERRUPT, KEY_EARLIER, KEY_LATER, KEY_CLEAR };

enum lunatik_key lunatik_line_feed(struct lunatik_line *line, unsigned char byte);
struct lunatik_view lunatik_line_view(const struct lunatik_line *line, size_t room);

int lunatik_readline(lua_State *L);

#endif
