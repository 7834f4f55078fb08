#include "resources.h"

#include <stddef.h>

/* In the order in which they are searched. */
const struct resource *const public_resources[] = {
    &tickets_resource,
    &jobs_resource,
    &assignments_resource,
    &offers_resource,
    &offer_page_resource,
    &experts_resource,
    &health_resource,
    &new_resource,
    &track_resource,
    &assets_resource,
    &problems_resource,
    &openapi_resource,
    NULL,
};

const struct resource *const admin_resources[] = {&health_resource, &metrics_resource, NULL};
