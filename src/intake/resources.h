/*
 * resources.h - every resource that resources.c lists.
 */
#pragma once

#include "route.h"

extern const struct resource tickets_resource, jobs_resource, offers_resource, offer_page_resource,
    experts_resource, assignments_resource, health_resource, assets_resource, new_resource,
    track_resource, problems_resource, metrics_resource, openapi_resource;
