/* SPDX-License-Identifier: GPL-2.0-only */
/* There are no files; the type is named in the declarations of functions that are left out. */
#ifndef LUNATIK_INC_STDIO_H
#define LUNATIK_INC_STDIO_H

typedef struct lunatik_no_file FILE;

#endif
