/* SPDX-License-Identifier: GPL-2.0-only */
/* There is one locale, C; luaconf.h knows its decimal point. */
#ifndef LUNATIK_INC_LOCALE_H
#define LUNATIK_INC_LOCALE_H



#endif
