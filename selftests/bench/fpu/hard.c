// SPDX-License-Identifier: GPL-2.0-only
/* The loops on the FPU. */
#define LOOP(name) hard_##name
#include "loops.h"
