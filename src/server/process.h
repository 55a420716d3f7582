#ifndef MW_SERVER_PROCESS_H
#define MW_SERVER_PROCESS_H

#include "base/error.h"

/* The process that serves: who it is, and what it may ask of the kernel. */

/*
 * Becomes that user for good, with its groups and no root's rights; nothing to do when it is that user already. Then
 * the state directory must be its to write. On failure why is one sentence with what to do next.
 */
MW_NODISCARD int process_become(const char *user, const char *state, char why[512]);

/*
 * From here on this thread, and all that it starts, can serve what is bound and keep files, and nothing else: no new
 * socket, no connect, no other process (EPERM), what is not on the list (ENOSYS); execve and looking into other
 * processes end it (SIGSYS, which the kernel logs). MW_E_UNSUPPORTED: built with a sanitizer, which needs more; or
 * the kernel takes no filter.
 */
MW_NODISCARD int process_confine(void);

#endif
