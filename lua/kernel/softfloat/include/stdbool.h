/* SPDX-License-Identifier: GPL-2.0-only */
/* The truth type Berkeley SoftFloat asks the C library for; the kernel has no such header. Pure declarations. */
#ifndef LUNATIK_SOFTFLOAT_STDBOOL_H
#define LUNATIK_SOFTFLOAT_STDBOOL_H

#define bool _Bool
#define true 1
#define false 0

#endif
