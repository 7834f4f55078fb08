/* What a refused connection means, and a server that falls silent, on a server that is played: it
 * says what is written here. */
#include "loop.h"
#include "pg.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_MAX = 300 };

struct message {
    size_t size;
    char bytes[MESSAGE_MAX];
};

struct server {
    int fd, port;
    struct message first, then; /* to the first connection, to all others */
    struct message second;      /* to what the first connection asks next; then silence */
    atomic_int connections;
};

/* The protocol's ErrorResponse: fields that end with a NUL, and a NUL. */
static struct message refusal(const char *sqlstate, const char *text)
{
    struct message m = {.bytes = "E"};
    int n = snprintf(m.bytes + 5, MESSAGE_MAX - 5, "SFATAL%cVFATAL%cC%s%cM%s%cFpostmaster.c%c", 0,
                     0, sqlstate, 0, text, 0, 0);
    m.size = 5 + (size_t)n + 1;
    uint32_t length = htonl((uint32_t)m.size - 1);
    memcpy(m.bytes + 1, &length, 4);
    return m;
}

#define BYTES(text) ((struct message){.size = sizeof text - 1, .bytes = text})
#define WELCOME     BYTES("R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")
#define SET_DONE    BYTES("C\0\0\0\x08SET\0Z\0\0\0\x05I")

static void *serve(void *arg)
{
    struct server *s = arg;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
        const struct message *m = atomic_fetch_add(&s->connections, 1) ? &s->then : &s->first;
        char packet[1024];
        if (read(fd, packet, sizeof packet) > 0 && write(fd, m->bytes, m->size) < 0)
            break;
        if (s->second.size && read(fd, packet, sizeof packet) > 0 &&
            write(fd, s->second.bytes, s->second.size) > 0)
            while (read(fd, packet, sizeof packet) > 0)
                ;
    }
    return NULL;
}

static void start(struct server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    pthread_t thread;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(s->fd, (struct sockaddr *)&at, size), 0);
    cr_assert_eq(listen(s->fd, 8), 0);
    getsockname(s->fd, (struct sockaddr *)&at, &size);
    s->port = ntohs(at.sin_port);
    cr_assert_eq(pthread_create(&thread, NULL, serve, s), 0);
    pthread_detach(thread);
}

static struct err open_error(const char *conninfo)
{
    struct pg *pg = NULL;
    struct err e = {0};
    struct pg_options o = {.conninfo = conninfo, .any_schema = true};
    unsetenv("PGPASSWORD");
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    return e;
}

static struct loop *new_loop(void)
{
    struct loop *loop = NULL;
    struct err e = {0};
    loop_block_signals();
    cr_assert_eq(loop_new(&loop, &e), 0, "%s", e.text);
    return loop;
}

static void *ask_to_stop(void *arg)
{
    usleep(*(const useconds_t *)arg);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void stop_after(useconds_t us)
{
    static useconds_t after_us;
    pthread_t thread;
    after_us = us;
    cr_assert_eq(pthread_create(&thread, NULL, ask_to_stop, &after_us), 0);
    pthread_detach(thread);
}

static const char *address(const struct server *s)
{
    static char conninfo[160];
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1 port=%d user=u dbname=d passfile=/nowhere sslmode=disable "
             "gssencmode=disable",
             s->port);
    return conninfo;
}

static struct err refused_by(struct server *s)
{
    start(s);
    return open_error(address(s));
}

Test(pg_connect, a_refusal_is_judged_by_its_code_in_any_language)
{
    static const struct {
        const char *sqlstate, *text;
        enum err_kind kind;
    } rows[] = {
        {"53300", "lo siento, ya tenemos demasiados clientes", ERR_RETRY},
        {"57P03", "el sistema de base de datos está iniciándose", ERR_RETRY},
        {"57P01", "terminando la conexión debido a una orden del administrador", ERR_RETRY},
        {"28P01", "la autentificación password falló para el usuario «u»", ERR_FATAL},
        {"28000", "no hay una línea en pg_hba.conf", ERR_FATAL},
        {"3D000", "no existe la base de datos «d»", ERR_FATAL},
        {"42501", "permiso denegado a la base de datos «d»", ERR_FATAL},
        {"22023", "valor no válido para el parámetro", ERR_FATAL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct server servers[sizeof rows / sizeof *rows];
        servers[i].first = servers[i].then = refusal(rows[i].sqlstate, rows[i].text);
        struct err e = refused_by(&servers[i]);
        cr_expect_eq(e.kind, rows[i].kind, "%s", e.text);
        cr_expect_str_eq(e.sqlstate, rows[i].sqlstate);
        cr_expect(rows[i].kind == ERR_RETRY || e.exit_code == EXIT_DATABASE);
        char *words = strstr(e.text, ": FATAL:  ");
        cr_expect(words && strcmp(words + strlen(": FATAL:  "), rows[i].text) == 0, "%s", e.text);
    }
}

/* Back between a try that failed, in words nobody has thought of, and the look at what it was. */
Test(pg_connect, a_server_that_comes_back_meanwhile_is_no_refusal)
{
    static struct server s = {.first = BYTES("?not a server yet"), .then = WELCOME};
    struct err e = refused_by(&s);
    cr_assert_eq(e.kind, ERR_RETRY, "%s", e.text);
    cr_assert_eq(s.connections, 2);
    cr_assert_not_null(strstr(e.text, "could not run \"SET"), "it went on with the second: %s",
                       e.text);
}

Test(pg_connect, a_password_that_is_not_there_is_for_a_person)
{
    static struct server s = {.first = BYTES("R\0\0\0\x08\0\0\0\x03"),
                              .then = BYTES("R\0\0\0\x08\0\0\0\x03")};
    struct err e = refused_by(&s);
    cr_assert_eq(e.kind, ERR_FATAL, "%s", e.text);
    cr_assert_eq(e.exit_code, EXIT_DATABASE);
}

Test(pg_connect, the_server_that_was_tried_last_decides)
{
    static struct server s;
    char conninfo[160];
    s.first = s.then = refusal("3D000", "no existe la base de datos «d»");
    start(&s);
    snprintf(conninfo, sizeof conninfo,
             "host=127.0.0.1,127.0.0.1 port=1,%d dbname=d sslmode=disable gssencmode=disable",
             s.port);
    struct err e = open_error(conninfo);
    cr_assert_eq(e.kind, ERR_FATAL, "%s", e.text);
    cr_assert_str_eq(e.sqlstate, "3D000");
}

Test(pg_connect, a_wrong_setting_is_not_tried_again)
{
    static const char *const wrong[] = {"colour=blue", "sslmode=perhaps", "postgresql://[::1",
                                        "host=127.0.0.1 target_session_attrs=some"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct err e = open_error(wrong[i]);
        cr_expect_eq(e.kind, ERR_FATAL, "%s: %s", wrong[i], e.text);
        cr_expect_eq(e.exit_code, EXIT_CONFIG, "%s: %s", wrong[i], e.text);
    }
    struct err e = open_error("host=no.such.host.invalid");
    cr_expect_eq(e.kind, ERR_RETRY, "%s", e.text);
}

/* As a frozen one does, whose kernel still acknowledges: no keepalive notices. */
Test(pg_connect, a_server_that_falls_silent_is_given_up, .timeout = 30)
{
    static struct server s = {.first = WELCOME, .second = SET_DONE};
    struct pg *pg = NULL;
    struct err e = {0};
    start(&s);
    struct pg_options o = {.conninfo = address(&s), .any_schema = true, .statement_timeout_ms = 50};
    cr_assert_eq(pg_open(&pg, &o, &e), 0, "%s", e.text);
    uint64_t began_ms = now_ms();
    cr_assert_eq(pg_exec(pg, "SELECT 1", &e), -1);
    cr_expect_eq(e.kind, ERR_RETRY);
    cr_expect(e.unknown);
    cr_expect_not_null(strstr(e.text, "has not answered for 5"), "%s", e.text);
    cr_expect_not(pg_alive(pg));
    cr_expect_lt(now_ms() - began_ms, 10000);
    pg_close(pg);
}

Test(pg_connect, also_before_the_session_is_ready, .timeout = 30)
{
    static const struct pg_stmt stmts[] = {{"one", "SELECT 1", 0, false}};
    static struct server s = {.first = WELCOME, .second = SET_DONE};
    struct pg *pg = NULL;
    struct err e = {0};
    start(&s);
    struct pg_options o = {.conninfo = address(&s),
                           .any_schema = true,
                           .stmts = stmts,
                           .n_stmts = 1,
                           .statement_timeout_ms = 50};
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    cr_expect_eq(e.kind, ERR_RETRY);
    cr_expect_not_null(strstr(e.text, "prepare statement one: PostgreSQL has not"), "%s", e.text);
}

static void count(void *ctx)
{
    (*(int *)ctx)++;
}

Test(pg_connect, the_loop_turns_while_it_connects_and_term_ends_that, .timeout = 30)
{
    struct loop *loop = new_loop();
    static struct server s = {.second = SET_DONE}; /* no word of welcome */
    int ran = 0;
    struct loop_timer timer = {.fn = count, .ctx = &ran};
    struct pg *pg = NULL;
    struct err e = {0};
    start(&s);
    loop_timer_set(loop, &timer, now_ms() + 100);
    stop_after(300000);
    uint64_t began_ms = now_ms();
    struct pg_options o = {.conninfo = address(&s), .loop = loop, .shutdown_ms = 5000};
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    cr_expect_eq(e.kind, ERR_RETRY);
    cr_expect_lt(now_ms() - began_ms, 2000);
    cr_expect_eq(ran, 1);
    cr_expect(loop_stopping(loop));
    /* Whoever has something to write tries again, for as long as it may. */
    o.shutdown_ms = 1500;
    cr_assert_eq(pg_open(&pg, &o, &e), -1);
    cr_expect_geq(now_ms() - began_ms, 1500);
    cr_expect_lt(now_ms() - began_ms, 4000);
    loop_free(loop);
}

Test(pg_connect, term_is_heard_while_a_statement_is_waited_for, .timeout = 30)
{
    struct loop *loop = new_loop();
    static struct server s = {.first = WELCOME, .second = SET_DONE};
    struct pg *pg = NULL;
    struct err e = {0};
    start(&s);
    struct pg_options o = {.conninfo = address(&s),
                           .any_schema = true,
                           .statement_timeout_ms = 60000,
                           .loop = loop,
                           .shutdown_ms = 700};
    cr_assert_eq(pg_open(&pg, &o, &e), 0, "%s", e.text);
    stop_after(300000);
    uint64_t began_ms = now_ms();
    cr_assert_eq(pg_exec(pg, "SELECT 1", &e), -1);
    cr_expect_eq(e.kind, ERR_RETRY);
    cr_expect(e.unknown);
    cr_expect_geq(now_ms() - began_ms, 900, "it is given the time there is");
    cr_expect_lt(now_ms() - began_ms, 3000);
    pg_close(pg);
    loop_free(loop);
}
