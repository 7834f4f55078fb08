/*
 * opt.h - options from one table: flag, environment variable, default, help.
 *
 * Order of precedence: command line, environment, default. Values land in a
 * struct of the program; --help, the README's tables and the checks come from
 * the same rows.
 */
#pragma once

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum opt_type {
    OPT_STR,  /* const char *, borrowed from argv, the environment or the table */
    OPT_INT,  /* long, within [min, max] */
    OPT_BOOL, /* bool; a flag without value; environment: 1/true/yes/on or 0/false/no/off */
    OPT_ENUM, /* int: index into choices */
    OPT_LIST, /* struct opt_list; may be repeated; environment: separated by blanks */
};

enum { OPT_LIST_MAX = 32 };
struct opt_list {
    size_t n;
    const char *item[OPT_LIST_MAX]; /* borrowed */
};

struct opt {
    const char *name; /* long flag without dashes */
    char letter;      /* short flag or 0 */
    const char *env;  /* environment variable or NULL */
    enum opt_type type;
    size_t offset;              /* of the value in the program's struct */
    const char *def;            /* default as text; NULL: zero value */
    long min, max;              /* OPT_INT */
    const char *const *choices; /* OPT_ENUM: NULL-terminated */
    const char *metavar;        /* shown in help, as MS or HOST:PORT */
    const char *help;           /* one line */
    bool secret;                /* never shown with its value */
};

struct opt_set {
    const char *program;  /* as squad-relay */
    const char *summary;  /* one line */
    const char *examples; /* lines, or NULL */
    const struct opt *opts;
    size_t n_opts;
    const char *operands; /* shown in usage, as "REF"; NULL: no operands allowed */
};

/* Fills *conf. On success *ret_index is the first operand in argv (argv is not
 * reordered; options end at the first operand or at "--"). Unknown flags get a
 * did-you-mean. Errors are ERR_FATAL with EXIT_CONFIG and name the flag or the
 * variable and the rule. */
int opt_parse(const struct opt_set *set, int argc, char *const *argv, void *conf, int *ret_index,
              struct err *reterr);

/* --help text; fits 80 columns. */
void opt_help(const struct opt_set *set, FILE *out);

/* The rows as a Markdown table, for docs/options.md. */
void opt_markdown(const struct opt_set *set, FILE *out);

/* Nearest of n names to word by edit distance, or NULL when none is near. */
const char *opt_nearest(const char *word, const char *const *names, size_t n);

/*
 * Options every program has. Put as first member `struct conf_common common;`
 * and the rows with OPT_COMMON(struct my_conf) in the table.
 */
struct conf_common {
    const char *db;           /* libpq conninfo or URI */
    const char *kafka;        /* host:port[,host:port...] */
    struct opt_list kafka_x;  /* name=value for librdkafka */
    const char *topic_prefix; /* topics, transactional ids and groups begin with it */
    const char *instance;     /* name of this process among its like: static membership, claims */
    int log_level;            /* enum log_level */
    int log_format;           /* enum log_format */
    long shutdown_ms;         /* deadline for finishing after TERM */
    bool drain;               /* do what is there, then exit 0 */
    const char *heartbeat;    /* file that shows the loop turns, see health.h; empty: none */
    bool health;              /* look at the heartbeat of the running program and exit */
    bool help, version, help_markdown;
};

extern const char *const opt_log_levels[];
extern const char *const opt_log_formats[];

#define OPT_COMMON_BASE(T)                                                                         \
    {.name = "db",                                                                                 \
     .env = "SQUAD_DB",                                                                            \
     .type = OPT_STR,                                                                              \
     .offset = offsetof(T, common.db),                                                             \
     .def = "dbname=squad",                                                                        \
     .metavar = "CONNINFO",                                                                        \
     .secret = true,                                                                               \
     .help = "PostgreSQL, as libpq conninfo or URI"},                                              \
        {.name = "kafka",                                                                          \
         .env = "SQUAD_KAFKA",                                                                     \
         .type = OPT_STR,                                                                          \
         .offset = offsetof(T, common.kafka),                                                      \
         .def = "127.0.0.1:9092",                                                                  \
         .metavar = "HOST:PORT",                                                                   \
         .help = "Kafka bootstrap servers, separated by commas"},                                  \
        {.name = "kafka-option",                                                                   \
         .letter = 'X',                                                                            \
         .env = "SQUAD_KAFKA_OPTIONS",                                                             \
         .type = OPT_LIST,                                                                         \
         .offset = offsetof(T, common.kafka_x),                                                    \
         .metavar = "NAME=VALUE",                                                                  \
         .help = "passed to librdkafka; may be repeated"},                                         \
        {.name = "topic-prefix",                                                                   \
         .env = "SQUAD_TOPIC_PREFIX",                                                              \
         .type = OPT_STR,                                                                          \
         .offset = offsetof(T, common.topic_prefix),                                               \
         .def = "squad",                                                                           \
         .metavar = "NAME",                                                                        \
         .help = "beginning of topic names, transactional ids and groups"},                        \
        {.name = "log-level",                                                                      \
         .env = "SQUAD_LOG_LEVEL",                                                                 \
         .type = OPT_ENUM,                                                                         \
         .offset = offsetof(T, common.log_level),                                                  \
         .def = "info",                                                                            \
         .choices = opt_log_levels,                                                                \
         .metavar = "LEVEL",                                                                       \
         .help = "debug, info, warn or error"},                                                    \
        {.name = "log-format",                                                                     \
         .env = "SQUAD_LOG_FORMAT",                                                                \
         .type = OPT_ENUM,                                                                         \
         .offset = offsetof(T, common.log_format),                                                 \
         .def = "auto",                                                                            \
         .choices = opt_log_formats,                                                               \
         .metavar = "FORMAT",                                                                      \
         .help = "auto, logfmt or pretty"},                                                        \
        {.name = "help",                                                                           \
         .letter = 'h',                                                                            \
         .type = OPT_BOOL,                                                                         \
         .offset = offsetof(T, common.help),                                                       \
         .help = "show this text"},                                                                \
        {.name = "version",                                                                        \
         .letter = 'V',                                                                            \
         .type = OPT_BOOL,                                                                         \
         .offset = offsetof(T, common.version),                                                    \
         .help = "show the version"},                                                              \
    {                                                                                              \
        .name = "help-markdown", .type = OPT_BOOL, .offset = offsetof(T, common.help_markdown),    \
        .help = "show the options as a Markdown table"                                             \
    }

/* For the four programs, not for squad. */
#define OPT_COMMON(T)                                                                              \
    OPT_COMMON_BASE(T),                                                                            \
        {.name = "instance",                                                                       \
         .env = "SQUAD_INSTANCE",                                                                  \
         .type = OPT_STR,                                                                          \
         .offset = offsetof(T, common.instance),                                                   \
         .def = "1",                                                                               \
         .metavar = "NAME",                                                                        \
         .help = "name of this process among its like"},                                           \
        {.name = "shutdown-timeout",                                                               \
         .env = "SQUAD_SHUTDOWN_TIMEOUT_MS",                                                       \
         .type = OPT_INT,                                                                          \
         .offset = offsetof(T, common.shutdown_ms),                                                \
         .def = "5000",                                                                            \
         .min = 100,                                                                               \
         .max = 600000,                                                                            \
         .metavar = "MS",                                                                          \
         .help = "time to finish after TERM"},                                                     \
        {.name = "drain",                                                                          \
         .type = OPT_BOOL,                                                                         \
         .offset = offsetof(T, common.drain),                                                      \
         .help = "do what is there, then exit 0"},                                                 \
        {.name = "heartbeat",                                                                      \
         .env = "SQUAD_HEARTBEAT",                                                                 \
         .type = OPT_STR,                                                                          \
         .offset = offsetof(T, common.heartbeat),                                                  \
         .metavar = "FILE",                                                                        \
         .help = "file written each second while the loop turns, for --health"},                   \
    {                                                                                              \
        .name = "health", .type = OPT_BOOL, .offset = offsetof(T, common.health),                  \
        .help = "exit 0 when the program that writes --heartbeat is well, else 1"                  \
    }

/* Parses, serves --help, --version and --help-markdown (exits 0) and --health
 * (exits 0 or 1), starts the log and the heartbeat, and on error logs it and
 * exits EXIT_CONFIG. Returns the index of the first operand. conf begins with
 * struct conf_common. */
int opt_start(const struct opt_set *set, int argc, char *const *argv, void *conf);
