/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the package library asks of its surroundings: files. The module's answer is src/lua/file.c.
 */
#ifndef LUNATIK_PACKAGE_H
#define LUNATIK_PACKAGE_H

#include "lua.h"

#include "file_status.h"

/* The only folder that module files are read from. */
#define LUNATIK_MODULES	"/lib/modules/lua"

/*
 * Pushes a file, a userdata, and has it read, or only looked for; `path` lies below LUNATIK_MODULES and is
 * anchored. Returns when it is done, or does not return but calls `k` then, with the file on top. Raises "cannot
 * wait here" where that is impossible.
 */
void lunatik_file_read(lua_State *L, const char *path, int look, lua_KContext ctx, lua_KFunction k);

/* The file on top: how it went, its text (until it is closed), its memory given back. None of them raises. */
enum lunatik_file_status lunatik_file_status(lua_State *L);
const char *lunatik_file_text(lua_State *L, size_t *len);
void lunatik_file_close(lua_State *L);

#endif
