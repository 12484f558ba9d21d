/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lua's configuration for the kernel; it replaces the luaconf.h of the distribution.
 *
 * The same file serves the module and the host build that the tests use: 64-bit integers, doubles, no
 * C library. What Lua asks of its surroundings is declared in lunatik_port.h, which this file includes
 * last. Compatibility with earlier versions of Lua is left out.
 */
#ifndef luaconf_h
#define luaconf_h

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* {=== numbers =============================================================================== */

#define LUAI_BITSINT		32

#define LUA_INT_INT		1
#define LUA_INT_LONG		2
#define LUA_INT_LONGLONG	3
#define LUA_FLOAT_FLOAT		1
#define LUA_FLOAT_DOUBLE	2
#define LUA_FLOAT_LONGDOUBLE	3
#define LUA_INT_TYPE		LUA_INT_LONGLONG
#define LUA_FLOAT_TYPE		LUA_FLOAT_DOUBLE

#define LUA_NUMBER		double
#define LUAI_UACNUMBER		double
#define LUA_NUMBER_FRMLEN	""
#define LUA_NUMBER_FMT		"%.14g"
#define l_mathlim(n)		(DBL_##n)
#define l_mathop(op)		op	/* math.h gives each its name in this port */
#define l_floor(x)		(l_mathop(floor)(x))

#define LUA_INTEGER		long long
#define LUA_UNSIGNED		unsigned long long
#define LUAI_UACINT		LUA_INTEGER
#define LUA_INTEGER_FRMLEN	"ll"
#define LUA_INTEGER_FMT		"%" LUA_INTEGER_FRMLEN "d"
#define LUA_MAXINTEGER		LLONG_MAX
#define LUA_MININTEGER		LLONG_MIN

#define luai_numadd(L,a,b)	((a) + (b))
#define luai_numsub(L,a,b)	((a) - (b))
#define luai_nummul(L,a,b)	((a) * (b))
/* by the bits: softfloat/inline.h */
#define luai_numunm(L,a)	lunatik_numunm(a)
#define luai_numeq(a,b)		lunatik_numeq(a, b)
#define luai_numlt(a,b)		lunatik_numlt(a, b)
#define luai_numle(a,b)		lunatik_numle(a, b)
#define luai_numisnan(a)	lunatik_numisnan(a)

/* A double that fits goes to an integer by its bits: no soft-float comparison, no conversion call. */
#define lua_numbertointeger(n,p)	lunatik_number2integer((n), (p))

/* x^2 is by far the commonest power. */
#define luai_numpow(L,a,b)	((void)(L), ((b) == 2) ? (a) * (a) : l_mathop(pow)(a, b))

/* A float key is hashed by its bits; floats with integer values never get here. */
#define l_hashfloat(n)		lunatik_hash_number(n)

/* text of numbers and addresses */
#define lua_number2str(s,sz,n)		lunatik_number2str((s), (sz), (n))
#define lua_integer2str(s,sz,n)		lunatik_integer2str((s), (sz), (n))
#define lua_pointer2str(s,sz,p)		lunatik_pointer2str((s), (sz), (p))
#define lua_str2number(s,p)		lunatik_str2number((s), (p))
#define lua_strx2number(s,p)		lunatik_str2number((s), (p))
#define lua_number2strx(L,b,sz,f,n)	((void)(L), lunatik_format_double((b), (sz), (f), (n)))
#define lua_getlocaledecpoint()		'.'

/* ============================================================================================ }
 * {=== marks and types ======================================================================= */

#define LUA_API			extern
#define LUALIB_API		LUA_API
#define LUAMOD_API		LUA_API
/* for functions that only raise errors */
#define LUA_NORETURN		__attribute__((noreturn))

#define LUAI_FUNC		__attribute__((visibility("hidden"))) extern
#define LUAI_DDEC		LUAI_FUNC
#define LUAI_DDEF

#define LUA_KCONTEXT		intptr_t

#define l_likely(x)		__builtin_expect((x) != 0, 1)
#define l_unlikely(x)		__builtin_expect((x) != 0, 0)

/* ============================================================================================ }
 * {=== limits ================================================================================ */

/* Slots of a Lua stack; the memory limit of the state ends most stacks long before. */
#define LUAI_MAXSTACK		1000000

/* The next collection begins when one ends: garbage with finalizers takes two, and a limit close above leaves no time for that. */
#define LUAI_GCPAUSE		100

/* Before each lua_State: the address of its struct lunatik_ext, and a word for the shim (LUNATIK_TOP...). */
#define LUA_EXTRASPACE		(2 * sizeof(void *))

#define LUA_IDSIZE		60

/* Every luaL_Buffer has this many bytes of C stack before it takes memory of the state. */
#define LUAL_BUFFERSIZE		256

/* Levels of C calls and of nested syntax, as in the distribution. */
#define LUAI_MAXCCALLS		200

/* Hash every byte of a string: with a step between bytes, collisions are easy to make. */
#define LUAI_HASHLIMIT		31

/* A state begins small: bytes count more than a few extra comparisons. */
#define STRCACHE_N		23
#define STRCACHE_M		1

/* ============================================================================================ }
 * {=== chances to break ====================================================================== */

/* Loops in C test the flag every so many characters, ... */
#define LUAI_POLLCHARS		4096
/* ... items that may be of any size, ... */
#define LUAI_POLLITEMS		256
/* ... or elements moved or compared; work on a shorter table is never broken. */
#define LUAI_POLLMOVES		1024
/* The parser gets text in pieces of this size. */
#define LUAI_LOADPIECE		1024

/* ============================================================================================ }
 * {=== surroundings ========================================================================== */

#define luai_makeseed()		((unsigned int)lunatik_random_seed())
#define l_randomizePivot()	((unsigned int)lunatik_random_seed())
#define luai_print		lunatik_print

#define LUAI_THROW(L,c)		{ lunatik_longjmp((c)->b); __builtin_trap(); }
#define LUAI_TRY(L,c,a)		if (lunatik_setjmp((c)->b) == 0) { a }
#define luai_jmpbuf		lunatik_jmpbuf

/* Nothing uses standard output; a stray use must not link. */
#define lua_writestring(s,l)		lunatik_no_output
#define lua_writeline()			lunatik_no_output
#define lua_writestringerror(s,p)	lunatik_no_output

#if defined(LUA_USE_APICHECK)
#include <assert.h>
#define luai_apicheck(l,e)	assert(e)
#endif
#if defined(LUNATIK_LUA_ASSERT)
#include <assert.h>
#define lua_assert(e)		assert(e)
#endif

#include "softfloat/inline.h"
#include "lunatik_port.h"

/* ============================================================================================ } */

#endif
