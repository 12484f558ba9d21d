/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the Lua core and the libraries in this port ask of their surroundings.
 *
 * The C shim of the module (src/lua/shim.c), or host_glue.c in tests, provides the functions declared
 * "provided by the shim"; all else is in this folder. Everything here runs with the state's lock held,
 * in process context or softirq, on whatever C stack the entry has, and never sleeps.
 */
#ifndef LUNATIK_PORT_H
#define LUNATIK_PORT_H

#include <stddef.h>

struct lua_State;

/* {=== one per state ========================================================================= */

/*
 * The first members of the shim's own structure for a state. The extra space before every lua_State
 * of the state holds its address; lua_newthread copies it from the main thread.
 */
struct lunatik_ext {
	int timeup;			/* set by an interrupt or another CPU; whoever breaks clears it */
	int nobreak;			/* above 0 in __gc and lunatik.atomic: only the hook budget applies */
	int nogc;			/* above 0: an allocation that fails raises without collecting first */
	int sections;			/* counts entries into __gc and lunatik.atomic: each has its own budget */
	const char *stack_limit;	/* lowest address the running entry may use on its C stack */
	const char *stack_red;		/* a little lower: error handling may go down to here */
	unsigned long long random[2];	/* math.random's generator; all zero until first used */
};

#define lunatik_ext(L)		(*(struct lunatik_ext **)lua_getextraspace(L))

/* ============================================================================================ }
 * {=== breaks ================================================================================ */

/*
 * Provided by the shim: time is up. It may raise a Lua error; other threads of this state may run, and
 * the collector with them, before it returns. When it returns at all, timeup is clear, unless nobreak
 * is above 0.
 */
void lunatik_break(struct lua_State *L);

#define luai_timeup(L) \
	__builtin_expect(*(volatile int *)&lunatik_ext(L)->timeup, 0)

/* A chance to break: `L->top` is above all that is live, no address into a Lua stack is held. */
#define luai_poll(L) \
	do { if (luai_timeup(L)) lunatik_break(L); } while (0)

/* The same, once in `every` (a power of 2) values of a counter. */
#define luai_pollat(L,count,every) \
	do { if (((count) & ((every) - 1)) == (every) - 1) luai_poll(L); } while (0)

/* The same, once in LUAI_POLLCHARS units of work, added up in `sum`. */
#define luai_pollwork(L,sum,work) \
	do { \
		(sum) += (work) + 1; \
		if ((sum) >= LUAI_POLLCHARS) { (sum) = 0; luai_poll(L); } \
	} while (0)

/* ============================================================================================ }
 * {=== C stack =============================================================================== */

#define luai_stackbelow(L,line) \
	__builtin_expect((const char *)__builtin_frame_address(0) < lunatik_ext(L)->line, 0)
#define luai_stacklow(L)	luai_stackbelow(L, stack_limit)
#define luai_stackred(L)	luai_stackbelow(L, stack_red)

/* arch/ARCH/setjmp.S: callee-saved registers, stack pointer, return address. */
typedef struct { unsigned long word[8]; } lunatik_jmpbuf[1];

__attribute__((returns_twice)) int lunatik_setjmp(lunatik_jmpbuf buf);
/* Does not return, but is not marked so: objtool wants to see the trap that follows it. */
void lunatik_longjmp(const lunatik_jmpbuf buf);

/* ============================================================================================ }
 * {=== provided by the shim ================================================================== */

/* A line that a script prints; newlines in it begin further lines. It may break. */
void lunatik_print_line(struct lua_State *L, const char *text, size_t len);

/* 64 unpredictable bits, for hash seeds, math.random and pivots. Any context. */
unsigned long long lunatik_random_seed(void);

/* Bytes in use from which on the collector never pauses: near the state's memory limit. */
size_t lunatik_gcmark(struct lua_State *L);

/* The state is being closed, finalizers have run: true when its objects need not be freed one by one. */
int lunatik_forget(struct lua_State *L);

/* An address as scripts may see it: a keyed hash of `p`, never 0 for a pointer that is not NULL. */
unsigned long lunatik_hash_ptr(const void *p);

/* Seconds since 1970-01-01 UTC, for os.time and os.date. */
long long lunatik_time(void);

/* Nanoseconds for os.clock: of processor time in this state, or monotonic. */
unsigned long long lunatik_clock_ns(struct lua_State *L);

/* An error nobody catches, or a failed assertion: must not return (see lunatik_longjmp about the mark). */
void lunatik_abort(const char *what, const char *file, int line);

/*
 * Opens the module's own libraries as globals, after the standard ones; may raise. The list ends with
 * a name of NULL.
 */
struct lunatik_lib {
	const char *name;
	int (*open)(struct lua_State *L);
};
extern const struct lunatik_lib lunatik_libs[];

/* ============================================================================================ }
 * {=== number text =========================================================================== */

/*
 * What lua_number2str and its kin in luaconf.h stand for. Sizes are in bytes; results are lengths
 * without the terminator, which is always written.
 */
int lunatik_integer2str(char *buf, size_t size, long long n);
int lunatik_pointer2str(char *buf, size_t size, const void *p);

/* One item of string.format, `form` as scanned: "%[flags][width][.precision]conversion". */
int lunatik_format_int(char *buf, size_t size, const char *form, long long n);
int lunatik_format_double(char *buf, size_t size, const char *form, double n);
int lunatik_format_str(char *buf, size_t size, const char *form, const char *s);

/* "%.14g". */
int lunatik_number2str(char *buf, size_t size, double n);

/* strtod in the C locale, hexadecimal floats included. */
double lunatik_str2number(const char *s, char **end);

/* The escape of a control character in %q: three digits if a digit follows. `buf` has 5 bytes. */
void lunatik_escape(char *buf, unsigned int c, int full);

/* ============================================================================================ }
 * {=== numbers =============================================================================== */

static inline unsigned long long lunatik_bits(double n)
{
	unsigned long long bits;

	__builtin_memcpy(&bits, &n, sizeof(bits));
	return bits;
}

/* *p = the integer part of n, if that is in range. */
static inline int lunatik_number2integer(double n, long long *p)
{
	unsigned long long bits = lunatik_bits(n);
	int exponent = (int)((bits >> 52) & 0x7ff) - 1023;
	unsigned long long whole = (bits & 0xfffffffffffffULL) | 0x10000000000000ULL;

	if (exponent >= 63) {
		if (bits != 0xc3e0000000000000ULL)	/* -2^63 */
			return 0;
		*p = (long long)(1ULL << 63);
		return 1;
	}
	if (exponent < 0)
		whole = 0;
	else if (exponent <= 52)
		whole >>= 52 - exponent;
	else
		whole <<= exponent - 52;
	*p = (long long)((bits >> 63) ? 0 - whole : whole);
	return 1;
}

static inline int lunatik_hash_number(double n)
{
	unsigned long long bits = lunatik_bits(n);

	bits ^= bits >> 32;
	return (int)((bits * 0x9e3779b1u >> 7) & 0x7fffffff);
}

/* Decimal digits before the point in %f of `n`: an upper bound. */
static inline size_t lunatik_intdigits(double n)
{
	int exponent = (int)((lunatik_bits(n) >> 52) & 0x7ff) - 1023;

	return exponent < 0 ? 1 : (size_t)exponent * 3 / 10 + 2 + (size_t)exponent / 300;
}

/* print(...): the lua_CFunction behind the global of that name (print.c). */
int lunatik_print(struct lua_State *L);

/* 64 bits of the state's generator; an integer of [0, max]; a new seed. */
unsigned long long lunatik_random(struct lua_State *L);
unsigned long long lunatik_randomupto(struct lua_State *L, unsigned long long max);
void lunatik_randomseed(struct lua_State *L, unsigned long long seed);

/* ============================================================================================ } */

#endif
