#include "geo.h"

#include <math.h>

static const double earth_radius_km = 6371.0088;

const struct point point_unknown = {NAN, NAN};

bool point_known(struct point point)
{
    return !isnan(point.lat);
}

/* Haversine: exact enough for short ways too. */
int32_t distance_km(struct point a, struct point b)
{
    const double rad = M_PI / 180;
    double dlat = sin((b.lat - a.lat) * rad / 2), dlon = sin((b.lon - a.lon) * rad / 2);
    double h = dlat * dlat + cos(a.lat * rad) * cos(b.lat * rad) * dlon * dlon;
    return (int32_t)(2 * earth_radius_km * asin(sqrt(fmin(h, 1))));
}
