/* SPDX-License-Identifier: GPL-2.0-only */
/* What the core takes from stdlib.h. */
#ifndef LUNATIK_INC_STDLIB_H
#define LUNATIK_INC_STDLIB_H

#include <stddef.h>
#include "lunatik_port.h"

#define abort() \
	(lunatik_abort("uncaught Lua error", __FILE__, __LINE__), __builtin_trap())

static inline int lunatik_abs(int n) { return n < 0 ? -n : n; }
#define abs(n)	lunatik_abs(n)

#endif
