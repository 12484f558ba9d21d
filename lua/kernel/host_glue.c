// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the Lua core asks of its surroundings, for tests on the host: breaks, room, time, random numbers.
 *
 * Compiled against the C library, unlike the rest of this folder, and never part of the module. The
 * test driver (tests/lua/driver.c) decides what a break does; by default there are none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <math.h>

#include "lua.h"
#include "lauxlib.h"
#include "memlib.h"
#include "host_glue.h"
#include "package.h"

void (*host_on_break)(lua_State *L);
void (*host_on_print)(const char *line, size_t len);

void lunatik_break(lua_State *L)
{
	if (host_on_break)
		host_on_break(L);
	else
		lunatik_ext(L)->timeup = 0;
}

/* Nothing on the host has such fields. */
int lunatik_getfield(lua_State *L, void *contents, const char *name, unsigned int len, void *value)
{
	(void)L;
	(void)contents;
	(void)name;
	(void)len;
	(void)value;
	return 0;
}

void lunatik_print_line(lua_State *L, const char *text, size_t len)
{
	(void)L;
	if (host_on_print) {
		host_on_print(text, len);
	} else {
		fwrite(text, 1, len, stdout);
		putchar('\n');
	}
}

unsigned long long lunatik_random_seed(void)
{
	/* The same in every run, so that a failure repeats. */
	static unsigned long long seed = 0x2545f4914f6cdd1dULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

unsigned long lunatik_hash_ptr(const void *p)
{
	return ((unsigned long)p * 0x9e3779b97f4a7c15UL) | 1;
}

size_t lunatik_gcmark(lua_State *L)
{
	(void)L;
	return (size_t)-1 >> 1;
}

void lunatik_room(lua_State *L, size_t size)
{
	(void)size;
	luai_poll(L);
}

int lunatik_forget(lua_State *L)
{
	(void)L;
	return 0;
}

long long lunatik_time(void)
{
	return (long long)time(NULL);
}

unsigned long long lunatik_clock_ns(lua_State *L)
{
	struct timespec now;

	(void)L;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec;
}

void lunatik_abort(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* {=== files of modules: read at once, with no wait ========================================== */

const char *host_modules = LUNATIK_MODULES;

struct file {
	enum lunatik_file_status status;
	size_t len;
	char text[];
};

void lunatik_file_read(lua_State *L, const char *path, int look, lua_KContext ctx, lua_KFunction k)
{
	char name[4096];
	struct file *file;
	long size = 0;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", host_modules, path + strlen(LUNATIK_MODULES));
	f = fopen(name, "rb");
	if (f != NULL && !look && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (f != NULL)
		fclose(f);
	/* This may raise: nothing is open. */
	file = lua_newuserdata(L, sizeof(*file) + (size_t)size);
	file->status = f == NULL ? LUNATIK_FILE_ABSENT : LUNATIK_FILE_READ;
	file->len = (size_t)size;
	if (size > 0) {
		f = fopen(name, "rb");
		if (f == NULL || fread(file->text, 1, file->len, f) != file->len)
			file->status = LUNATIK_FILE_BROKEN;
		if (f != NULL)
			fclose(f);
	}
	(void)ctx;
	(void)k;
}

enum lunatik_file_status lunatik_file_status(lua_State *L)
{
	return ((struct file *)lua_touserdata(L, -1))->status;
}

const char *lunatik_file_text(lua_State *L, size_t *len)
{
	struct file *file = lua_touserdata(L, -1);

	*len = file->len;
	return file->text;
}

void lunatik_file_close(lua_State *L)
{
	struct file *file = lua_touserdata(L, -1);

	memset(file->text, 0xdd, file->len);
	file->len = 0;
}

/* ============================================================================================ } */

const struct lunatik_lib lunatik_libs[] = {
	{ "memory", lunatik_open_memory },
	{ NULL, NULL },
};

const struct lunatik_lib lunatik_preloads[] = {
#ifdef LUNATIK_DRIVER_MAIN
	{ "transfer", host_open_transfer },
#endif
	{ NULL, NULL },
};

/* The module has these from a Rust libm and from soft-float arithmetic. */
double lunatik_sqrt(double x) { return sqrt(x); }
double lunatik_pow(double x, double y) { return pow(x, y); }
double lunatik_sin(double x) { return sin(x); }
double lunatik_cos(double x) { return cos(x); }
double lunatik_tan(double x) { return tan(x); }
double lunatik_asin(double x) { return asin(x); }
double lunatik_acos(double x) { return acos(x); }
double lunatik_atan2(double y, double x) { return atan2(y, x); }
double lunatik_exp(double x) { return exp(x); }
double lunatik_log(double x) { return log(x); }
double lunatik_log2(double x) { return log2(x); }
double lunatik_log10(double x) { return log10(x); }

#ifdef LUNATIK_HOST_TEXT

/*
 * Number text by the C library, for programs without Rust. The Rust code has its own tests against it
 * (tests/number_text.rs).
 */
int host_plain_text;

/*
 * For measuring the C stack: takes as much of it as the module's own code may (src/lua/text.rs), and not what
 * this C library does.
 */
static __attribute__((noinline)) int plain_text(char *buf, size_t size)
{
	volatile char room[1536];
	size_t i;

	for (i = 0; i < sizeof(room); i++)
		room[i] = '0';
	buf[0] = room[size % sizeof(room)];
	buf[1] = '\0';
	return 1;
}

static double to_double(unsigned long long bits)
{
	double n;

	memcpy(&n, &bits, sizeof(n));
	return n;
}

unsigned long long lunatik_strtod(const char *s, char **end)
{
	const char *digits = s + strspn(s, " \t\n\v\f\r");

	/* The C library also reads names. */
	digits += *digits == '-' || *digits == '+';
	if (*digits != '.' && (*digits < '0' || *digits > '9')) {
		*end = (char *)s;
		return 0;
	}
	return lunatik_bits(strtod(s, end));
}

unsigned long long lunatik_strxtod(const char *s, char **end)
{
	return lunatik_bits(strtod(s, end));
}

int lunatik_fmt_double(char *buf, size_t size, const char *spec, unsigned long long bits)
{
	if (host_plain_text)
		return plain_text(buf, size);
	return snprintf(buf, size, spec, to_double(bits));
}

int lunatik_fmt_g14(char *buf, size_t size, unsigned long long bits)
{
	if (host_plain_text)
		return plain_text(buf, size);
	return snprintf(buf, size, "%.14g", to_double(bits));
}

int lunatik_fmt_int(char *buf, size_t size, const char *spec, long long value)
{
	size_t len = strlen(spec);
	char with_length[40];

	if (host_plain_text)
		return plain_text(buf, size);
	if (spec[len - 1] == 'c')
		return snprintf(buf, size, spec, (int)value);
	snprintf(with_length, sizeof(with_length), "%.*sll%c", (int)len - 1, spec, spec[len - 1]);
	return snprintf(buf, size, with_length, value);
}

int lunatik_fmt_str(char *buf, size_t size, const char *spec, const char *s)
{
	if (host_plain_text)
		return plain_text(buf, size);
	return snprintf(buf, size, spec, s);
}

#endif
