/* SPDX-License-Identifier: GPL-2.0-only */
/* There are no signals; the type is asked for by the core. */
#ifndef LUNATIK_INC_SIGNAL_H
#define LUNATIK_INC_SIGNAL_H

typedef int sig_atomic_t;

#endif
