// SPDX-License-Identifier: GPL-2.0-only
/*
 * lunatik-check: compiles and runs a script outside the kernel, with the limits it has there: `maxalloc` by the kernel's own heap,
 * the time budget of hooks counted in VM instructions, the same libraries as far as they need no kernel.
 *
 *   check [-m BYTES] [-b INSTRUCTIONS] [-l FOLDER] [--test | --pcap FILE] SCRIPT
 *
 * Exit status: 0 well; 1 the script, a test or a packet's function failed; 2 wrong usage. It leaves out time: sleeping takes none, and
 * timers do not fire. `lunatik check` of the command calls it. User space.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"
#include "host_glue.h"
#include "check.h"

/* A script that runs so many seconds is ended. */
#define PATIENCE	10

struct check the_check;

/* {=== limits ================================================================================ */

/* Raises, with the line that runs. */
static void stop(lua_State *L, const char *why)
{
	luaL_where(L, 0);
	lua_pushfstring(L, why, PATIENCE);
	lua_concat(L, 2);
	lua_error(L);
}

/* Once a VM instruction. Past the budget every further one raises, so that no pcall holds it. */
static void count(lua_State *L, lua_Debug *ar)
{
	struct check *c = &the_check;

	(void)ar;
	c->instructions++;
	if (c->late)
		stop(L, "still running after %d s");
	if (c->bounded > 0 && (c->left == 0 || --c->left == 0))
		stop(L, "time budget exceeded");
}

static void alarm_rings(int signal)
{
	(void)signal;
	the_check.late = 1;
	the_check.ext.timeup = 1;	/* for long work without VM instructions */
}

static void on_break(lua_State *L)
{
	struct check *c = &the_check;

	c->ext.timeup = c->late;
	if (c->late)
		luaL_error(L, "still running after %d s", PATIENCE);
}

void check_bounded(lua_State *L, int args, int results)
{
	struct check *c = &the_check;
	int status;

	if (c->bounded++ == 0)
		c->left = c->budget;
	status = lua_pcall(L, args, results, 0);
	c->bounded--;
	if (status != LUA_OK)
		lua_error(L);
}

/* ============================================================================================ }
 * {=== running =============================================================================== */

static void on_print(const char *line, size_t len)
{
	printf("%s: %.*s\n", the_check.name, (int)len, line);
}

static char *read_file(const char *name, size_t *len)
{
	FILE *f = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
	char *text = NULL;
	size_t room = 0, got = 0;

	if (f == NULL) {
		perror(name);
		exit(1);
	}
	do {
		if (got == room) {
			room = room ? room * 2 : 65536;
			text = realloc(text, room + 1);
			if (text == NULL)
				abort();
		}
		*len = fread(text + got, 1, room - got, f);
		got += *len;
	} while (*len > 0);
	if (ferror(f)) {
		perror(name);
		exit(1);
	}
	if (f != stdin)
		fclose(f);
	text[got] = '\0';
	*len = got;
	return text;
}

/* As `code` reads a script: a byte order mark and a first line that begins with # are skipped. */
static const char *body(const char *text, size_t *len)
{
	const char *end = text + *len, *from = text;

	if (*len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		from += 3;
	if (from < end && *from == '#')
		while (from < end && *from != '\n')
			from++;
	*len = (size_t)(end - from);
	return from;
}

static int open_libs(lua_State *L)
{
	luaL_openlibs(L);
	return check_libs(L);
}

/*
 * The error that a thread ended in, with its traceback, on the main thread's stack. For this the limit is lifted: memory may be what
 * was lacking.
 */
static const char *error_of(struct check *c, lua_State *thread)
{
	const char *text;

	alarm(0);
	c->late = 0;
	c->ext.timeup = 0;
	check_used(c->heap, &c->peak);
	check_limit(c->heap, (size_t)-1 >> 1);
	text = lua_type(thread, -1) == LUA_TSTRING ? lua_tostring(thread, -1) : "(the error is no text)";
	luaL_traceback(c->L, thread, text, 0);
	return lua_tostring(c->L, -1);
}

static int failed(const char *text)
{
	fflush(stdout);
	fprintf(stderr, "%s\n", text);
	return 1;
}

/* The script on a thread of its own, which may wait. */
static int run_script(struct check *c, const char *file)
{
	size_t len;
	const char *text = read_file(file, &len), *script = body(text, &len);
	char *chunk = malloc(strlen(file) + 8);
	lua_State *thread = c->runs;
	int status;

	if (chunk == NULL)
		abort();
	sprintf(chunk, strcmp(file, "-") == 0 ? "=stdin" : "@%s", file);
	status = luaL_loadbufferx(thread, script, len, chunk, "t");
	if (status == LUA_OK) {
		status = lua_resume(thread, NULL, 0);
		if (status == LUA_YIELD) {
			lua_settop(thread, 0);
			lua_pushliteral(thread, "attempt to yield from outside a coroutine");
			status = LUA_ERRRUN;
		}
	}
	if (status != LUA_OK)
		return failed(error_of(c, thread));
	lua_settop(thread, 0);
	return 0;
}

static void report(struct check *c)
{
	unsigned int hooks = 0;
	struct registered *r;
	size_t peak;

	for (r = registered; r; r = r->next)
		hooks += (unsigned int)r->live;
	check_used(c->heap, &peak);
	if (c->peak)
		peak = c->peak;
	printf("%s: peak %zu of %zu bytes, %llu VM instructions, %u hook%s, %u timer%s\n", c->name, peak, c->maxalloc,
	       c->instructions, hooks, hooks == 1 ? "" : "s", c->timers, c->timers == 1 ? "" : "s");
}

/* ============================================================================================ }
 * {=== tests ================================================================================= */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each global function test_*, in the order of names. */
static int run_tests(struct check *c)
{
	char **names = NULL;
	int n = 0, room = 0, i, bad = 0;
	lua_State *L = c->runs;

	lua_pushglobaltable(L);
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING || !lua_isfunction(L, -1) || strncmp(lua_tostring(L, -2), "test_", 5) != 0)
			continue;
		if (n == room) {
			room = room * 2 + 8;
			names = realloc(names, (size_t)room * sizeof(*names));
		}
		if (names == NULL || (names[n++] = strdup(lua_tostring(L, -2))) == NULL)
			abort();
	}
	lua_settop(L, 0);
	if (n == 0) {
		fprintf(stderr, "%s: no global function is called test_*\n", c->name);
		return 1;
	}
	qsort(names, (size_t)n, sizeof(*names), by_name);
	printf("KTAP version 1\n1..%d\n", n);
	for (i = 0; i < n; i++) {
		lua_State *thread = lua_newthread(L);
		int status;

		alarm(PATIENCE);
		lua_getglobal(thread, names[i]);
		status = lua_resume(thread, NULL, 0);
		if (status == LUA_OK) {
			printf("ok %d %s\n", i + 1, names[i]);
		} else {
			const char *line = error_of(c, thread), *end;

			printf("not ok %d %s\n", i + 1, names[i]);
			for (; *line; line = *end ? end + 1 : end) {
				end = line + strcspn(line, "\n");
				printf("# %.*s\n", (int)(end - line), line);
			}
			lua_settop(c->L, 0);
			lua_gc(c->L, LUA_GCCOLLECT, 0);
			check_limit(c->heap, c->maxalloc);
			bad++;
		}
		lua_settop(L, 0);
	}
	printf("%d passed, %d failed\n", n - bad, bad);
	return bad != 0;
}

/* ============================================================================================ } */

static size_t size_of(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	switch (*end) {
	case 'G': n *= 1024; /* fall through */
	case 'M': n *= 1024; /* fall through */
	case 'K': n *= 1024; end++; break;
	}
	return *end == '\0' && end != text ? (size_t)n : 0;
}

static char *name_of(const char *file)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	char *name = strdup(strcmp(file, "-") == 0 ? "stdin" : base), *dot;

	if (name == NULL)
		abort();
	dot = strrchr(name, '.');
	if (dot && strcmp(dot, ".lua") == 0)
		*dot = '\0';
	return name;
}

static int usage(void)
{
	fprintf(stderr, "usage: check [-m BYTES] [-b INSTRUCTIONS] [-l FOLDER] [--test | --pcap FILE] SCRIPT\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "test", no_argument, NULL, 't' }, { "pcap", required_argument, NULL, 'p' }, { NULL, 0, NULL, 0 },
	};
	struct check *c = &the_check;
	const char *pcap = NULL;
	int option, tests = 0, status;

	c->maxalloc = 65536;
	c->budget = 100000;
	while ((option = getopt_long(argc, argv, "m:b:l:", options, NULL)) != -1) {
		switch (option) {
		case 'm': c->maxalloc = size_of(optarg); break;
		case 'b': c->budget = size_of(optarg); break;
		case 'l': host_modules = optarg; break;
		case 't': tests = 1; break;
		case 'p': pcap = optarg; break;
		default: return usage();
		}
	}
	if (argc - optind != 1 || (tests && pcap) || c->maxalloc < 32768 || c->budget == 0)
		return usage();
	c->name = name_of(argv[optind]);
	c->heap = check_heap(c->maxalloc);
	c->L = c->heap ? lua_newstate(check_alloc, c->heap) : NULL;
	if (c->L == NULL) {
		fprintf(stderr, "%s: no memory for a state of %zu bytes\n", c->name, c->maxalloc);
		return 1;
	}
	host_on_break = on_break;
	host_on_print = on_print;
	*(struct check **)lua_getextraspace(c->L) = c;
	lua_pushcfunction(c->L, open_libs);
	if (lua_pcall(c->L, 0, 0, 0) != LUA_OK)
		return failed(error_of(c, c->L));
	signal(SIGALRM, alarm_rings);
	alarm(PATIENCE);
	lua_sethook(c->L, count, LUA_MASKCOUNT, 1);	/* new threads inherit it */
	c->runs = lua_newthread(c->L);
	lua_rawsetp(c->L, LUA_REGISTRYINDEX, c);
	status = run_script(c, argv[optind]);
	if (status == 0 && tests)
		status = run_tests(c);
	else if (status == 0 && pcap)
		status = check_capture(c, pcap);
	if (!tests)
		report(c);
	return status;
}
