#include "pulse.h"

enum { KEEP_INTERVAL_MS = 1000 };

static void serve(struct pulse *p)
{
    loop_once(p->loop, 0);
    uint64_t now = now_ms();
    if (now - p->kept_at_ms < KEEP_INTERVAL_MS)
        return;
    p->kept_at_ms = now;
    p->keep(p->ctx);
}

int pulse_beat(struct pulse *p, struct err *reterr)
{
    if (!p)
        return 0;
    serve(p);
    return loop_stopping(p->loop) ? err_set(reterr, ERR_RETRY, "stopping") : 0;
}

bool pulse_go_on(struct pulse *p)
{
    if (!p)
        return true;
    serve(p);
    uint64_t since = loop_stopping_since_ms(p->loop);
    return !since || now_ms() - since < (uint64_t)p->shutdown_ms;
}
