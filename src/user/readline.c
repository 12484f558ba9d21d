// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line from the terminal, with editing and history. User space; the terminal is in raw mode while a line is read, and
 * nothing raises a Lua error meanwhile.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <lauxlib.h>

#include "native.h"

static void show(const char *prompt, const struct lunatik_line *line)
{
	struct winsize size;
	size_t width = ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	size_t taken = strlen(prompt);
	struct lunatik_view view = lunatik_line_view(line, width > taken + 1 ? width - taken - 1 : 1);

	printf("\r%s%.*s\033[K\r\033[%zuC", prompt, (int)(view.end - view.start), line->text + view.start, taken + view.column);
	fflush(stdout);
}

/* The entry `at` of the history at index 2 replaces the line; past its end: an empty line. */
static void recall(lua_State *L, struct lunatik_line *line, lua_Integer at)
{
	const char *text = "";
	size_t len = 0;

	if (lua_rawgeti(L, 2, at) == LUA_TSTRING)
		text = lua_tolstring(L, -1, &len);
	len = len < LUNATIK_LINE_MAX ? len : LUNATIK_LINE_MAX;
	memcpy(line->text, text, len);
	line->len = line->cursor = len;
	lua_pop(L, 1);
}

/* Takes keys until the line is complete or given up: the key that did it. */
static enum lunatik_key edit(lua_State *L, const char *prompt, struct lunatik_line *line)
{
	lua_Integer newest = (lua_Integer)lua_rawlen(L, 2) + 1, at = newest;
	unsigned char byte;

	for (;;) {
		enum lunatik_key key;

		if (read(0, &byte, 1) != 1)
			return KEY_END;
		key = lunatik_line_feed(line, byte);
		switch (key) {
		case KEY_ENTER:
		case KEY_END:
		case KEY_INTERRUPT:
			return key;
		case KEY_EARLIER:
		case KEY_LATER:
			at += key == KEY_EARLIER ? -1 : 1;
			at = at < 1 ? 1 : at > newest ? newest : at;
			recall(L, line, at);
			break;
		case KEY_CLEAR:
			printf("\033[H\033[2J");
			break;
		case KEY_NOTHING:
			continue;
		case KEY_CHANGED:
			break;
		}
		show(prompt, line);
	}
}

/* readline(prompt, history) -> the line without its newline; nil at the end of the input; false for Control-C. */
int lunatik_readline(lua_State *L)
{
	const char *prompt = luaL_checkstring(L, 1);
	struct lunatik_line *line;
	struct termios before, raw;
	enum lunatik_key key;

	luaL_checktype(L, 2, LUA_TTABLE);
	line = lua_newuserdata(L, sizeof(*line));
	memset(line, 0, sizeof(*line));
	luaL_checkstack(L, 4, NULL);
	if (tcgetattr(0, &before) != 0)
		return luaL_error(L, "standard input is no terminal");
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	raw.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(0, TCSADRAIN, &raw);
	show(prompt, line);
	key = edit(L, prompt, line);
	tcsetattr(0, TCSADRAIN, &before);
	printf("\n");
	fflush(stdout);
	if (key == KEY_ENTER)
		lua_pushlstring(L, line->text, line->len);
	else if (key == KEY_INTERRUPT)
		lua_pushboolean(L, 0);
	else
		lua_pushnil(L);
	return 1;
}
