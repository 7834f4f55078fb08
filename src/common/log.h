/*
 * log.h - one line per event, logfmt on stderr, pretty on a terminal.
 *
 * Values are quoted when needed; control characters are escaped, so input can
 * not forge a line. Personal data and secrets do not belong in any field.
 * Thread-safe: a line is one write(2).
 *
 *   LOG(INFO, "relay is leader", F_STR("topic", t), F_INT("rows", n));
 */
#pragma once

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_LOGFMT, LOG_PRETTY };

struct log_field {
    const char *key;
    enum { LOG_F_STR, LOG_F_INT, LOG_F_DOUBLE } type;
    union {
        const char *str; /* borrowed; NULL prints as empty */
        int64_t num;
        double dbl;
    };
};

#define F_STR(k, v) ((struct log_field){.key = (k), .type = LOG_F_STR, .str = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .type = LOG_F_INT, .num = (int64_t)(v)})
#define F_DBL(k, v) ((struct log_field){.key = (k), .type = LOG_F_DOUBLE, .dbl = (v)})

/* Sets program name (borrowed), least level and format. LOG_AUTO: pretty when
 * stderr is a terminal. Call once, before threads. */
void log_init(const char *program, enum log_level min_level, enum log_format format);

/* Lines of this level are written. */
bool log_enabled(enum log_level level);

/* Writes one line on stderr, whatever its level; LOG asks log_enabled first. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t n_fields);

#define LOG(level, event, ...)                                                                     \
    do {                                                                                           \
        if (log_enabled(LOG_##level)) {                                                            \
            const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};                           \
            log_write(LOG_##level, (event), log_fields_ + 1,                                       \
                      sizeof log_fields_ / sizeof *log_fields_ - 1);                               \
        }                                                                                          \
    } while (0)

/* Logs an error with kind, sqlstate, hint; event says what failed. */
void log_err(enum log_level level, const char *event, const struct err *err);

/* Formats one line as log_write would, in logfmt, without the newline. For tests. Returns the
 * length, truncated to size - 1. */
size_t log_format_line(char *buf, size_t size, enum log_level level, const char *event,
                       const struct log_field *fields, size_t n_fields);
