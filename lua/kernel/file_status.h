/* SPDX-License-Identifier: GPL-2.0-only */
/* How the reading of a module's file went; for Lua's side and the kernel's, so it includes nothing. */
#ifndef LUNATIK_FILE_STATUS_H
#define LUNATIK_FILE_STATUS_H

enum lunatik_file_status {
	LUNATIK_FILE_READ = 0,		/* read; looked for: it is there */
	LUNATIK_FILE_ABSENT = 1,
	LUNATIK_FILE_IRREGULAR = 2,	/* a folder, a pipe, a device */
	LUNATIK_FILE_LONG = 3,		/* longer than a script may be */
	LUNATIK_FILE_NOMEM = 4,		/* the machine, or `totalmax`, has not that much memory */
	LUNATIK_FILE_BROKEN = 5,	/* any other error */
};

#endif
