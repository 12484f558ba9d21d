/* SPDX-License-Identifier: GPL-2.0-only */
/* Assertions in the test builds; the module is compiled without them. */
#ifndef LUNATIK_INC_ASSERT_H
#define LUNATIK_INC_ASSERT_H

#include "lunatik_port.h"

#define assert(e) \
	((e) ? (void)0 : (lunatik_abort(#e, __FILE__, __LINE__), __builtin_trap()))

#endif
