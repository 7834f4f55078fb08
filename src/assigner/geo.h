/*
 * geo.h - points on the globe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct point { /* degrees; NAN latitude: unknown */
    float lat, lon;
};

extern const struct point point_unknown;
/* Not point_unknown. */
bool point_known(struct point point);

/* Great circle in whole kilometres, rounded down: a difference below that decides nothing. */
int32_t distance_km(struct point a, struct point b);
