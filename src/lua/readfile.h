/* SPDX-License-Identifier: GPL-2.0-only */
/* What src/lua/file.c and src/kapi/readfile.c share; it needs neither Lua's headers nor the kernel's. */
#ifndef LUNATIK_READFILE_H
#define LUNATIK_READFILE_H

/* A file to be read. */
struct lunatik_readfile {
	char *text;		/* not terminated; NULL for none */
	unsigned long len;	/* its length in bytes */
	int status;		/* enum lunatik_file_status */
	int look;		/* whether it is there is all that matters */
	char path[];
};

/* Reads it; the work of an operation, in process context. Sleeps. */
void lunatik_readfile_run(void *file);

/* Gives back what was read, if anything. Any context. */
void lunatik_readfile_free(struct lunatik_readfile *file);

#endif
