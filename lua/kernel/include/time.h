/* SPDX-License-Identifier: GPL-2.0-only */
/* There is no time.h: the os library of this port calls lunatik_time. */
#ifndef LUNATIK_INC_TIME_H
#define LUNATIK_INC_TIME_H



#endif
