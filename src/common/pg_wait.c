#include "pg_wait.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

enum { LOOK_MS = 100 };

/* -1: without end; 0: no longer. */
static int left_ms(const struct pg_wait *wait)
{
    uint64_t now = now_ms(), until = wait->until_ms;
    if (wait->loop && loop_stopping(wait->loop)) {
        uint64_t stop = loop_stopping_since_ms(wait->loop) + (uint64_t)wait->shutdown_ms;
        until = until && until < stop ? until : stop;
    }
    if (!until)
        return -1;
    uint64_t left = until > now ? until - now : 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* Time is up only when nothing has come: after a freeze of our own the answer may be there. */
static bool wait_readable(PGconn *conn, const struct pg_wait *wait)
{
    while (PQisBusy(conn)) {
        int unsent = PQflush(conn);
        if (unsent < 0)
            return true;
        struct pollfd fd = {.fd = PQsocket(conn),
                            .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
        int left = left_ms(wait);
        int ready = poll(&fd, 1, wait->loop && (left < 0 || left > LOOK_MS) ? LOOK_MS : left);
        if (ready > 0 && !PQconsumeInput(conn))
            return true;
        if (ready <= 0 && left == 0)
            return false;
        if (ready <= 0 && wait->loop)
            loop_look(wait->loop);
    }
    return true;
}

/* libpq finds the connection lost then, and does not block. */
static PGresult *give_up(PGconn *conn, PGresult *last)
{
    shutdown(PQsocket(conn), SHUT_RDWR);
    do
        PQclear(last);
    while ((last = PQgetResult(conn)));
    return NULL;
}

PGresult *pg_wait(PGconn *conn, const struct pg_wait *wait, bool *ret_silent)
{
    PGresult *last = NULL;
    *ret_silent = false;
    while (wait_readable(conn, wait)) {
        PGresult *next = PQgetResult(conn);
        if (!next)
            return last;
        PQclear(last);
        last = next;
    }
    *ret_silent = true;
    return give_up(conn, last);
}
