// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs Lua scripts on the host in the port's own build, under conditions that a kernel makes rare.
 *
 *   driver run SCRIPT...      runs each and prints what it prints
 *   driver sweep SCRIPT       fails the n-th allocation (and the try after the emergency collection) for
 *                             n = 1, 2, ...: each run must end in "not enough memory" and free everything
 *   driver storm SCRIPT...    breaks at every chance: collector steps and full cycles, other Lua code on another
 *                             thread, the Lua stack moved; the output must be that of a run without breaks
 *   driver late SCRIPT...     runs scripts while time is up all along, and nobody else gets a turn
 *   driver kill SCRIPT        raises an error at the n-th break for n = 1, 2, ...: each run must end clean
 *   driver depth SCRIPT...    the deepest C stack of each, in bytes, without a limit; and with limits, how far
 *                             below them it went
 *   driver memory             bytes of a new state, by library
 *   driver lend               memories over a block of C's, before and after it is withdrawn
 *   driver canary             reads behind a block, to see that a sanitizer is at work
 *
 * Every allocation is checked: sizes that Lua reports, bytes around the block, and everything freed at
 * the end. Reallocation always moves. Exit status 0 if all was well; the last line says how much was done.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"
#include "host_glue.h"
#include "memlib.h"

void host_move_stack(lua_State *L);
int host_stack_slots(lua_State *L);
unsigned long host_size_of(int what);
void host_strings(lua_State *L, int *entries, int *buckets);

/* {=== one state ============================================================================= */

struct host {
	struct lunatik_ext ext;		/* first: the extra space of every lua_State points here */
	lua_State *main;
	lua_State *guest;		/* runs at breaks */
	size_t used, rounded, peak, blocks;
	size_t limit;			/* 0: none */
	long allocations;		/* that asked for more */
	long fail_at;			/* this one and the next fail; 0: none */
	long breaks;
	long kill_at;			/* this break raises; 0: none */
	int in_break;
};

struct text {
	char *bytes;
	size_t len, room;
};

static struct text output;
static int failures;

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	failures++;
}

static struct host *host_of(lua_State *L)
{
	return (struct host *)lunatik_ext(L);
}

#define HEAD	16
#define TAIL	16
#define CANARY	0x5a

static size_t *check_block(void *block, size_t osize)
{
	unsigned char *tail = (unsigned char *)block + osize;
	size_t *head = (size_t *)((char *)block - HEAD);
	int i;

	if (head[0] != osize) {
		fprintf(stderr, "block of %zu bytes given back as one of %zu\n", head[0], osize);
		abort();
	}
	for (i = 0; i < TAIL; i++)
		if (tail[i] != CANARY) {
			fprintf(stderr, "written behind a block of %zu bytes\n", osize);
			abort();
		}
	return head;
}

static void *host_alloc(void *ud, void *block, size_t osize, size_t nsize)
{
	struct host *h = ud;
	char *raw = NULL;

	if (block == NULL)
		osize = 0;
	if (nsize > osize) {
		h->allocations++;
		if (h->fail_at && (h->allocations == h->fail_at || h->allocations == h->fail_at + 1))
			return NULL;
		if (h->limit && h->used + nsize - osize > h->limit)
			return NULL;
	}
	if (nsize > 0) {
		raw = malloc(HEAD + nsize + TAIL);
		if (raw == NULL)
			abort();
		((size_t *)raw)[0] = nsize;
		raw += HEAD;
		memset(raw, 0xa5, nsize);
		if (block)
			memcpy(raw, block, osize < nsize ? osize : nsize);
		memset(raw + nsize, CANARY, TAIL);
		h->used += nsize;
		h->rounded += (nsize + 15) & ~(size_t)15;
		h->blocks++;
	}
	if (block) {
		size_t *head = check_block(block, osize);

		memset(block, 0xdd, osize);
		free(head);
		h->used -= osize;
		h->rounded -= (osize + 15) & ~(size_t)15;
		h->blocks--;
	}
	if (h->used > h->peak)
		h->peak = h->used;
	return raw;
}

static int open_libs(lua_State *L)
{
	struct host *h = host_of(L);

	luaL_openlibs(L);
	h->guest = lua_newthread(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &h->guest);
	return 0;
}

static int host_open(struct host *h)
{
	h->ext.stack_limit = NULL;
	h->ext.stack_red = NULL;
	h->main = lua_newstate(host_alloc, h);
	if (h->main == NULL)
		return LUA_ERRMEM;
	*(struct host **)lua_getextraspace(h->main) = h;
	lua_pushcfunction(h->main, open_libs);
	return lua_pcall(h->main, 0, 0, 0);
}

static void host_close(struct host *h)
{
	if (h->main)
		lua_close(h->main);
	h->main = NULL;
	if (h->used != 0 || h->blocks != 0)
		fail("leak: %zu bytes in %zu blocks", h->used, h->blocks);
}

static void on_print(const char *line, size_t len)
{
	if (output.len + len + 2 > output.room) {
		output.room = (output.len + len + 2) * 2;
		output.bytes = realloc(output.bytes, output.room);
		if (output.bytes == NULL)
			abort();
	}
	memcpy(output.bytes + output.len, line, len);
	output.len += len;
	output.bytes[output.len++] = '\n';
	output.bytes[output.len] = '\0';
}

static char *read_file(const char *name, size_t *len)
{
	FILE *f = fopen(name, "rb");
	char *text;

	if (f == NULL) {
		perror(name);
		exit(2);
	}
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	text = malloc(*len + 1);
	if (text == NULL || fread(text, 1, *len, f) != *len)
		abort();
	text[*len] = '\0';
	fclose(f);
	return text;
}

static int handler(lua_State *L)
{
	const char *message = lua_tostring(L, 1);

	if (message)
		luaL_traceback(L, L, message, 1);
	return 1;
}

struct chunk {
	const char *text, *name;
	size_t len;
};

static int load_and_run(lua_State *L)
{
	struct chunk *c = lua_touserdata(L, 1);
	lua_State *thread = lua_newthread(L);
	int status;

	lua_pushcfunction(thread, handler);
	status = luaL_loadbufferx(thread, c->text, c->len, c->name, "t");
	if (status == LUA_OK)
		status = lua_pcall(thread, 0, 0, 1);
	lua_pushinteger(L, status);
	if (status != LUA_OK)
		lua_xmove(thread, L, 1);
	else
		lua_pushnil(L);
	return 2;
}

/*
 * Runs a script on a thread of its own. The status as lua_pcall gives it; the message in `message`.
 */
static int host_run(struct host *h, const char *name, const char *text, size_t len, char *message, size_t size)
{
	char chunkname[128];
	struct chunk c = { text, chunkname, len };
	lua_State *L = h->main;
	int status;

	snprintf(chunkname, sizeof(chunkname), "=%s", strrchr(name, '/') ? strrchr(name, '/') + 1 : name);
	message[0] = '\0';
	lua_pushcfunction(L, load_and_run);
	lua_pushlightuserdata(L, &c);
	status = lua_pcall(L, 1, 2, 0);
	if (status == LUA_OK)
		status = (int)lua_tointeger(L, -2);
	if (status != LUA_OK && lua_type(L, -1) == LUA_TSTRING)
		snprintf(message, size, "%s", lua_tostring(L, -1));
	lua_settop(L, 0);
	return status;
}

/* ============================================================================================ }
 * {=== breaks ================================================================================ */

static const char guest_code[] =
	"local n = ...\n"
	"local t, s = {}, ''\n"
	"for i = 1, 8 do t[i] = {i, 'g' .. n .. '-' .. i}; s = s .. i end\n"
	"local function deep(k) if k == 0 then return 0 end return 1 + deep(k - 1) end\n"
	"deep(n % 40)\n"
	"local co = coroutine.wrap(function(a) local b = coroutine.yield(a + 1); return b end)\n"
	"assert(co(n) == n + 1 and co(7) == 7)\n"
	"setmetatable({}, {__gc = function() s = nil end})\n"
	"return #t\n";

static int guest_setup(lua_State *L)
{
	if (luaL_loadstring(L, guest_code) != LUA_OK)
		return lua_error(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, guest_code);
	return 0;
}

/* A full collection or a step; a finalizer of the script may raise an error in it. */
static int guest_collect(lua_State *L)
{
	lua_gc(L, lua_toboolean(L, 1) ? LUA_GCCOLLECT : LUA_GCSTEP, 0);
	return 0;
}

static void storm(lua_State *L)
{
	struct host *h = host_of(L);

	if (h->ext.nobreak > 0 || h->in_break)
		return;
	h->breaks++;
	/* Everything below costs time by the size of the stack: seldom when it is deep. */
	if (h->breaks % (1 + host_stack_slots(L) / 512) != 0)
		return;
	h->in_break = 1;
	h->ext.timeup = 0;
	if (h->breaks % 3 == 0) {
		lua_rawgetp(h->guest, LUA_REGISTRYINDEX, guest_code);
		lua_pushinteger(h->guest, h->breaks);
		if (lua_pcall(h->guest, 1, 0, 0) != LUA_OK) {
			fail("guest: %s", lua_tostring(h->guest, -1));
			lua_pop(h->guest, 1);
		}
	}
	lua_pushcfunction(h->guest, guest_collect);
	lua_pushboolean(h->guest, h->breaks % 64 == 0);
	if (lua_pcall(h->guest, 1, 0, 0) != LUA_OK)
		lua_pop(h->guest, 1);
	host_move_stack(L);
	h->in_break = 0;
	h->ext.timeup = 1;
}

static void kill(lua_State *L)
{
	struct host *h = host_of(L);

	if (h->ext.nobreak > 0)
		return;
	if (++h->breaks == h->kill_at) {
		h->ext.timeup = 0;
		luaL_error(L, "interrupted");
	}
}

/* ============================================================================================ }
 * {=== commands ============================================================================== */

static void stay_late(lua_State *L)
{
	lunatik_ext(L)->timeup = 1;
}

static int cmd_run(int argc, char **argv, int late)
{
	int i;

	for (i = 0; i < argc; i++) {
		struct host h = { .limit = 0 };
		char message[2048];
		size_t len;
		char *text = read_file(argv[i], &len);

		host_on_break = late ? stay_late : NULL;
		if (host_open(&h) != LUA_OK)
			abort();
		h.ext.timeup = late;
		if (host_run(&h, argv[i], text, len, message, sizeof(message)) != LUA_OK)
			fail("%s: %s", argv[i], message);
		host_close(&h);
		free(text);
	}
	printf("ran %d scripts, %d failures\n", argc, failures);
	return failures != 0;
}

static int cmd_sweep(int argc, char **argv)
{
	long n, clean = 0, caught = 0;
	size_t len;
	char *text;

	if (argc != 1)
		return 2;
	text = read_file(argv[0], &len);
	host_on_print = on_print;
	for (n = 1; ; n++) {
		struct host h = { .fail_at = n };
		char message[2048];
		int status;

		output.len = 0;
		status = host_open(&h);
		if (status == LUA_OK)
			status = host_run(&h, argv[0], text, len, message, sizeof(message));
		else
			strcpy(message, "not enough memory");
		if (h.allocations < n) {	/* nothing failed any more */
			if (status != LUA_OK)
				fail("allocation %ld, none failed: %s", n, message);
			host_close(&h);
			break;
		}
		if (status == LUA_OK)
			caught++;		/* the script itself dealt with it */
		else if (status == LUA_ERRMEM || strstr(message, "not enough memory") ||
			 strstr(message, "out of memory") || strstr(message, "stack overflow"))
			clean++;
		else
			fail("allocation %ld: status %d: %s", n, status, message);
		if (h.ext.nobreak != 0)
			fail("allocation %ld: nobreak is %d", n, h.ext.nobreak);
		host_close(&h);
		if (failures > 10)
			break;
	}
	printf("swept %ld allocations: %ld ended in an error, %ld were dealt with by the script, %d failures\n",
	       n - 1, clean, caught, failures);
	free(text);
	return failures != 0 || clean < 100;
}

static int cmd_storm(int argc, char **argv)
{
	long breaks = 0;
	int i;

	host_on_print = on_print;
	for (i = 0; i < argc; i++) {
		char message[2048];
		struct text calm;
		int stormy;
		size_t len;
		char *text = read_file(argv[i], &len);

		for (stormy = 0; stormy < 2; stormy++) {
			struct host h = { .limit = 0 };

			output.len = 0;
			host_on_break = stormy ? storm : NULL;
			if (host_open(&h) != LUA_OK)
				abort();
			lua_pushcfunction(h.main, guest_setup);
			if (lua_pcall(h.main, 0, 0, 0) != LUA_OK)
				abort();
			h.ext.timeup = stormy;
			if (host_run(&h, argv[i], text, len, message, sizeof(message)) != LUA_OK)
				fail("%s%s: %s", argv[i], stormy ? " in the storm" : "", message);
			h.ext.timeup = 0;
			breaks += h.breaks;
			host_close(&h);
			if (!stormy) {
				calm = output;
				memset(&output, 0, sizeof(output));
			}
		}
		if (calm.len != output.len || memcmp(calm.bytes, output.bytes, calm.len) != 0)
			fail("%s: output differs\n--- calm\n%s--- storm\n%s", argv[i], calm.bytes, output.bytes);
		free(calm.bytes);
		free(text);
	}
	printf("%d scripts in %ld breaks, %d failures\n", argc, breaks, failures);
	return failures != 0 || breaks < 300;
}

static int cmd_kill(int argc, char **argv)
{
	long n, ended = 0, step = argc > 1 ? atol(argv[1]) : 1;
	size_t len;
	char *text;

	if (argc < 1)
		return 2;
	text = read_file(argv[0], &len);
	host_on_print = on_print;
	host_on_break = kill;
	for (n = 1; ; n += step) {
		struct host h = { .kill_at = n };
		char message[2048];
		int status;

		output.len = 0;
		if (host_open(&h) != LUA_OK)
			abort();
		h.ext.timeup = 1;
		status = host_run(&h, argv[0], text, len, message, sizeof(message));
		if (status != LUA_OK && !strstr(message, "interrupted"))
			fail("break %ld: %s", n, message);
		ended += status != LUA_OK;
		host_close(&h);
		if (h.breaks < n || failures > 10)
			break;
	}
	printf("killed at %ld breaks: %ld ended in the error, %d failures\n", n / step, ended, failures);
	free(text);
	return failures != 0 || ended < 100;
}

/* --- depth --------------------------------------------------------------------------------- */

#define STACK	(1 << 20)
#define PAINT	0xc7

struct depth_run {
	const char *name, *text;
	size_t len, room;
	char *stack;
	size_t deepest;
	long below;
	int status;
	char message[2048];
};

static void *depth_thread(void *data)
{
	struct depth_run *r = data;
	struct host h = { .limit = 64 << 20 };
	char *here = __builtin_frame_address(0);

	if (host_open(&h) != LUA_OK)
		abort();
	memset(r->stack, PAINT, (size_t)(here - 512 - r->stack));
	if (r->room) {
		h.ext.stack_limit = here - r->room;
		h.ext.stack_red = h.ext.stack_limit - 2048;
	}
	r->status = host_run(&h, r->name, r->text, r->len, r->message, sizeof(r->message));
	{
		char *p = r->stack;

		while ((unsigned char)*p == PAINT)
			p++;
		r->deepest = (size_t)(here - p);
		r->below = r->room ? (long)r->deepest - (long)r->room : 0;
	}
	host_close(&h);
	return NULL;
}

static void depth_one(struct depth_run *r)
{
	pthread_attr_t attr;
	pthread_t thread;

	if (posix_memalign((void **)&r->stack, 4096, STACK) != 0)
		abort();
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, r->stack, STACK);
	if (pthread_create(&thread, &attr, depth_thread, r) != 0)
		abort();
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	free(r->stack);
}

static int cmd_depth(int argc, char **argv)
{
	static const size_t rooms[] = { 0, 6000, 8192, 12000, 16384, 24000, 32768, 49152 };
	size_t deepest = 0;
	long below = -STACK;
	int i, j;

	host_on_print = on_print;
	host_plain_text = 1;
	for (i = 0; i < argc; i++) {
		struct depth_run r = { .name = argv[i] };
		size_t free_depth = 0;
		long worst = -STACK;

		r.text = read_file(argv[i], &r.len);
		for (j = 0; j < (int)(sizeof(rooms) / sizeof(rooms[0])); j++) {
			output.len = 0;
			r.room = rooms[j];
			depth_one(&r);
			if (r.status != LUA_OK)
				fail("%s, room %zu: %s", argv[i], r.room, r.message);
			if (j == 0)
				free_depth = r.deepest;
			else if (r.below > worst)
				worst = r.below;
		}
		printf("%-24s deepest %6zu, at most %5ld below its limit\n",
		       strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i], free_depth, worst);
		if (free_depth > deepest)
			deepest = free_depth;
		if (worst > below)
			below = worst;
		free((void *)r.text);
	}
	printf("deepest %zu bytes, at most %ld below a limit, %d failures\n", deepest, below, failures);
	return failures != 0;
}

/* --- memory -------------------------------------------------------------------------------- */

static int cmd_memory(void)
{
	static const luaL_Reg libs[] = {
		{ "_G", luaopen_base }, { LUA_LOADLIBNAME, luaopen_package }, { LUA_COLIBNAME, luaopen_coroutine }, { LUA_TABLIBNAME, luaopen_table },
		{ LUA_OSLIBNAME, luaopen_os }, { LUA_STRLIBNAME, luaopen_string }, { LUA_UTF8LIBNAME, luaopen_utf8 },
		{ LUA_MATHLIBNAME, luaopen_math }, { LUA_DBLIBNAME, luaopen_debug },
		{ "memory", lunatik_open_memory },
	};
	struct host h = { .limit = 0 };
	size_t before;
	int entries, buckets;
	unsigned int i;

	h.main = lua_newstate(host_alloc, &h);
	*(struct host **)lua_getextraspace(h.main) = &h;
	printf("%-12s %6zu bytes, %6zu in blocks of 16, %4zu blocks\n", "bare state", h.used, h.rounded, h.blocks);
	for (i = 0; i < sizeof(libs) / sizeof(libs[0]); i++) {
		lua_gc(h.main, LUA_GCCOLLECT, 0);
		before = h.rounded;
		luaL_requiref(h.main, libs[i].name, libs[i].func, 1);
		lua_pop(h.main, 1);
		lua_gc(h.main, LUA_GCCOLLECT, 0);
		printf("%-12s %6zu\n", libs[i].name, h.rounded - before);
	}
	host_strings(h.main, &entries, &buckets);
	printf("%d strings in %d buckets; lua_State %lu, global_State %lu, CallInfo %lu\n", entries, buckets,
	       host_size_of(0), host_size_of(1), host_size_of(2));
	printf("state with its libraries: %zu bytes, %zu in blocks of 16, %zu blocks, peak %zu\n", h.used, h.rounded,
	       h.blocks, h.peak);
	i = h.rounded > 24 * 1024;
	host_close(&h);
	return i != 0 || failures != 0;
}

/* --- lend ---------------------------------------------------------------------------------- */

static const char lend_code[] =
	"local m = ...\n"
	"if not kept then\n"
	"  assert(memory.type(m) == 'other' and getmetatable(m).__name == 'luamem_Ref')\n"
	"  assert(#m == 100 and tostring(m) == ('\\0'):rep(100))\n"
	"  m:fill('abc') m:set(-1, 255)\n"
	"  assert(not pcall(m.resize, m, 10) and m:find('cab') == 3 and m:unpack('c3', 4) == 'abc')\n"
	"  kept = m\n"
	"else\n"
	"  assert(m == kept and memory.type(m) == 'other' and #m == 0 and tostring(m) == '')\n"
	"  assert(not pcall(m.set, m, 1, 1) and not m:find('a') and select('#', m:get(1, -1)) == 0)\n"
	"  assert(memory.diff(m, 'a') == 1 and #memory.create(m) == 0 and m:pack('b', 1, 1) == false)\n"
	"  assert(not pcall(m.unpack, m, 'b') and not pcall(m.unpack, m, 'z'))\n"
	"  m:fill('x', 1, -1) m:fill('', 1, -1)\n"
	"end\n";

static int lend(lua_State *L)
{
	char *bytes = calloc(1, 100);
	void *handle = lunatik_memory_newref(L, bytes, 100);
	size_t len;
	int again;

	for (again = 0; again < 2; again++) {
		if (luaL_loadstring(L, lend_code) != LUA_OK)
			lua_error(L);
		lua_pushvalue(L, 1);
		lua_call(L, 1, 0);
		if (!again && (memcmp(bytes, "abcabc", 6) != 0 || (unsigned char)bytes[99] != 255))
			fail("the bytes that were lent are not as they should be");
		if (!again)
			lunatik_memory_withdraw(handle);
		if (!again)
			free(bytes);
	}
	if (lunatik_memory_check(L, 1, &len) != NULL || len != 0)
		fail("withdrawn, and still there");
	lunatik_memory_new(L, 3);
	if (memcmp(lunatik_memory_check(L, -1, &len), "\0\0", 3) != 0 || len != 3)
		fail("no fixed memory of 3 zeros");
	lua_pushnil(L);
	if (lunatik_memory_tobytes(L, -1, &len) != NULL)
		fail("nil has bytes");
	return 0;
}

static int cmd_lend(void)
{
	struct host h = { .limit = 0 };

	if (host_open(&h) != LUA_OK)
		abort();
	lua_pushcfunction(h.main, lend);
	if (lua_pcall(h.main, 0, 0, 0) != LUA_OK)
		fail("%s", lua_tostring(h.main, -1));
	host_close(&h);
	printf("lent and withdrawn, %d failures\n", failures);
	return failures != 0;
}

/* Reads behind a block: a sanitizer that does not notice is not at work. */
static int cmd_canary(void)
{
	volatile size_t size = 32;
	volatile char *block = malloc(size);
	int got = block ? block[size] : 0;

	free((void *)block);
	return got > 1000;
}

/* ============================================================================================ } */

/* Scripts find their modules in the folder `modules` beside them. */
static void find_modules(const char *script)
{
	static char folder[4096];
	const char *slash = strrchr(script, '/');

	snprintf(folder, sizeof(folder), "%.*s/modules", slash ? (int)(slash - script) : 1, slash ? script : ".");
	host_modules = folder;
}

int lunatik_host_main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 3)
		find_modules(argv[2]);
	if (argc >= 3 && strcmp(argv[1], "run") == 0)
		return cmd_run(argc - 2, argv + 2, 0);
	if (argc >= 3 && strcmp(argv[1], "sweep") == 0)
		return cmd_sweep(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "late") == 0)
		return cmd_run(argc - 2, argv + 2, 1);
	if (argc >= 3 && strcmp(argv[1], "storm") == 0)
		return cmd_storm(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "kill") == 0)
		return cmd_kill(argc - 2, argv + 2);
	if (argc >= 3 && strcmp(argv[1], "depth") == 0)
		return cmd_depth(argc - 2, argv + 2);
	if (argc == 2 && strcmp(argv[1], "memory") == 0)
		return cmd_memory();
	if (argc == 2 && strcmp(argv[1], "lend") == 0)
		return cmd_lend();
	if (argc == 2 && strcmp(argv[1], "canary") == 0)
		return cmd_canary();
	fprintf(stderr, "usage: driver run|sweep|storm|kill|depth SCRIPT... | memory|lend\n");
	return 2;
}

#ifdef LUNATIK_DRIVER_MAIN
int main(int argc, char **argv)
{
	return lunatik_host_main(argc, argv);
}
#endif
