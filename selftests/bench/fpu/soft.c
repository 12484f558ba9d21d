// SPDX-License-Identifier: GPL-2.0-only
/* The loops by calls of lua/kernel/softfloat. */
#define LOOP(name) soft_##name
#include "loops.h"
