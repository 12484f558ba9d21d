/* SPDX-License-Identifier: GPL-2.0-only */
/* Error recovery is lunatik_setjmp: see LUAI_TRY in luaconf.h. */
#ifndef LUNATIK_INC_SETJMP_H
#define LUNATIK_INC_SETJMP_H



#endif
