/*
 * err.h - the one error value of squad.
 *
 * Library code returns 0 or -1 and fills a struct err that says what to do
 * next; nothing but main logs it, once. Texts follow PostgreSQL's Error
 * Message Style Guide: "could not X: reason", the hint as a sentence.
 */
#pragma once

#include <stdbool.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_RETRY,  /* try the same again, perhaps after reconnecting; the outcome may be unknown */
    ERR_REJECT, /* this input can never succeed; others can */
    ERR_FATAL,  /* the process can not go on; exit with exit_code */
};

/* Exit codes of every program, listed in docs/operating.md. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FOUND = 1,    /* squad verify found something; any failure without a better code */
    EXIT_CONFIG = 2,   /* option or environment wrong */
    EXIT_DATABASE = 3, /* PostgreSQL not reachable, no such database, not allowed */
    EXIT_SCHEMA = 4,   /* schema missing or too old: run squad migrate */
    EXIT_KAFKA = 5,    /* Kafka not reachable, a topic missing or wrong: run squad topics */
    EXIT_POSITION = 6, /* relay: position does not fit this database; needs a person */
    EXIT_FENCED = 7,   /* relay: fenced by another relay again and again */
    EXIT_DEADLINE = 8, /* could not finish within the shutdown deadline */
};

struct err {
    enum err_kind kind;
    enum exit_code exit_code; /* for ERR_FATAL */
    bool unknown;             /* ERR_RETRY: the statement or commit may have taken effect */
    int code;                 /* rd_kafka_resp_err_t, CURLcode or errno; 0 when none */
    char sqlstate[6];         /* empty when not from PostgreSQL */
    char constraint[64];      /* name of the violated constraint, or empty */
    char text[512];
    char hint[256];
};

/* Fills *reterr (which may be NULL) and returns -1, so that callers can write
 * return err_set(...). Clears every other field. */
int err_set(struct err *reterr, enum err_kind kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set with ERR_FATAL and an exit code. */
int err_fatal(struct err *reterr, enum exit_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets the hint of an error already set; returns -1. */
int err_hint(struct err *reterr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "none", "retry", "reject", "fatal". */
const char *err_kind_name(enum err_kind kind);
