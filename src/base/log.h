#ifndef MW_BASE_LOG_H
#define MW_BASE_LOG_H

#include "base/error.h"

/*
 * Libraries return errors; whoever serves or speaks says them here, one line
 * each, never a secret. A sink is an argument: NULL is silence.
 */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	enum log_level level; /* most talkative level that is written */
	void (*write)(void *user, enum log_level level, const char *line);
	void *user;
};

/* Lines of at most 1,000 bytes, made harmless for a terminal. */
void log_line(const struct log *log, enum log_level level, const char *format, ...) MW_PRINTF(3, 4);
/* A sink that writes "2026-11-24 08:00:00.000Z error: ..." to stderr. */
extern const struct log log_stderr;

#endif
