/*
 * out.h - what people see: colour, times, spans of time, progress, JSON.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OUT_TEXT_MAX = 48 };

/* Escape sequence when stdout is a terminal (and NO_COLOR is not set), else "". */
enum out_style { OUT_PLAIN, OUT_BOLD, OUT_DIM, OUT_RED, OUT_GREEN, OUT_YELLOW };
const char *out_style(enum out_style style);

/* Time in the local zone with milliseconds; us since 1970. Returns buf. */
const char *out_time(char buf[OUT_TEXT_MAX], int64_t us);

/* Time for JSON: RFC 3339, UTC, microseconds. Returns buf. */
const char *out_rfc3339(char buf[OUT_TEXT_MAX], int64_t us);

/* A span as "850 us", "12.3 ms", "4.5 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". Returns buf. */
const char *out_span(char buf[OUT_TEXT_MAX], int64_t us);

/* A count with its noun: "1 row", "2 rows". Returns buf. */
const char *out_count(char buf[OUT_TEXT_MAX], int64_t n, const char *noun);

/* What the command is about to do: one line on stderr that the next one
 * overwrites, shown when stderr is a terminal and more than 2 s have passed since
 * the first one, or since out_progress_end. Call the latter before printing
 * anything else. */
void out_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_progress_end(void);

/* Prints on stdout, in one line or, on a terminal, indented; takes the reference. */
void out_json(json_t *json);
