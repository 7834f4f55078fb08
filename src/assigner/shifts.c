#include "shifts.h"

#include "loop.h"

enum { PAGE_EXPERTS = 200, EVERY_MS = 3600000, RETRY_MS = 60000 };

int shifts_extend(struct shifts *shifts, struct pg *pg, struct err *reterr)
{
    struct pg_params params = {0};
    _cleanup_result_ PGresult *res = NULL;
    pg_param_int4(&params, shifts->behind);
    pg_param_int4(&params, PAGE_EXPERTS);
    shifts->due_ms = now_ms() + RETRY_MS;
    if (pg_run(pg, "shifts_extend", &params, &res, reterr))
        return -1;
    shifts->behind = (int32_t)pg_get_int8(res, 0, 0);
    shifts->held |= pg_get_int8(res, 0, 1) > 0;
    if (shifts->behind) {
        shifts->due_ms = 0;
        return 0;
    }
    if (!shifts->held)
        shifts->due_ms = now_ms() + EVERY_MS;
    shifts->held = false;
    return 0;
}

int shifts_extend_all(struct shifts *shifts, struct pg *pg, struct err *reterr)
{
    *shifts = (struct shifts){0};
    do
        if (shifts_extend(shifts, pg, reterr))
            return -1;
    while (shifts->behind);
    return 0;
}
