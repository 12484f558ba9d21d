// SPDX-License-Identifier: GPL-2.0-only
/* The module's own copy of the arithmetic, which lunatik.ko does not export. */
#include "../../../lua/kernel/softfloat/libcalls.c"
