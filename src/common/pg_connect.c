#include "pg_connect.h"

#include "loop.h"

#include <stdio.h>
#include <string.h>

enum { CONNECT_TIMEOUT_S = 5, SETTINGS_MAX = 12 };

struct settings {
    int n;
    const char *keys[SETTINGS_MAX + 1], *values[SETTINGS_MAX + 1]; /* NULL-terminated */
    char user[64], app[64], timeout[16];
};

static void set(struct settings *s, const char *key, const char *value)
{
    s->keys[s->n] = key;
    s->values[s->n++] = value;
}

static void make_settings(struct settings *s, const struct pg_options *o)
{
    bool named = o->program && *o->program;
    snprintf(s->user, sizeof s->user, "squad_%s", named ? o->program : "");
    snprintf(s->app, sizeof s->app, named ? "squad-%s" : "squad", named ? o->program : "");
    snprintf(s->timeout, sizeof s->timeout, "%d", CONNECT_TIMEOUT_S);
    if (named)
        set(s, "user", s->user);
    set(s, "connect_timeout", s->timeout);
    set(s, "client_encoding", "UTF8");
    /* A server that vanished without a word is noticed within half a minute, not in hours. */
    set(s, "keepalives_idle", "10");
    set(s, "keepalives_interval", "5");
    set(s, "keepalives_count", "4");
    set(s, "tcp_user_timeout", "30000");
    set(s, "dbname", o->conninfo); /* expanded: what it names wins over the above */
    set(s, "application_name", s->app);
}

/* With a port that no server can have libpq gets as far as its own checks, not to the network. */
static bool are_valid(const struct settings *settings)
{
    struct settings s = *settings;
    set(&s, "port", "0");
    return PQpingParams(s.keys, s.values, 1) != PQPING_NO_ATTEMPT;
}

/* With several servers libpq's message has a line of each; the last one has decided. */
static const char *last_try(const char *message)
{
    for (const char *next; (next = strstr(message, "\nconnection to server"));)
        message = next + 1;
    return message;
}

/* "...: FATAL:  53300: sorry, too many clients already", where the words may be in any language. */
static void take_sqlstate(char *text, char ret_state[6])
{
    *ret_state = '\0';
    for (char *p = text; (p = strstr(p, ":  "));) {
        p += 3;
        if (strspn(p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 &&
            strncmp(p + 5, ": ", 2) == 0) {
            memcpy(ret_state, p, 5);
            ret_state[5] = '\0';
            memmove(p, p + 7, strlen(p + 7) + 1);
            return;
        }
    }
}

/* Who does not say by a SQLSTATE that it is for good is tried again. */
static void connect_error(PGconn *conn, bool valid, struct err *reterr)
{
    char text[400], state[6];
    const char *line = last_try(PQerrorMessage(conn));
    snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
    take_sqlstate(text, state);
    bool refused = PQconnectionNeedsPassword(conn) || pg_err_kind(state) != ERR_RETRY;
    if (valid && !refused)
        err_set(reterr, ERR_RETRY, "could not connect to PostgreSQL: %s", text);
    else
        err_fatal(reterr, valid ? EXIT_DATABASE : EXIT_CONFIG,
                  "could not connect to PostgreSQL: %s", text);
    if (reterr)
        memcpy(reterr->sqlstate, state, sizeof state);
}

PGconn *pg_connect(const struct pg_options *options, struct err *reterr)
{
    struct settings s = {0};
    make_settings(&s, options);
    uint64_t began_ms = now_ms();
    PGconn *conn = PQconnectdbParams(s.keys, s.values, 1);
    bool failed = PQstatus(conn) != CONNECTION_OK, valid = !failed || are_valid(&s);
    /* libpq tells the SQLSTATE of a refusal in verbose messages alone, and those have to be asked
     * for on a connection. A silent server has none to tell. */
    if (failed && valid && now_ms() - began_ms < CONNECT_TIMEOUT_S * 1000) {
        PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
        PQreset(conn);
        PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
    }
    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    connect_error(conn, valid, reterr);
    PQfinish(conn);
    return NULL;
}
