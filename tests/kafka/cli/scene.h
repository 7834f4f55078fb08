/*
 * scene.h - a small company's finished work, and what `squad verify` says of it when something has
 * been spoiled. Asserts by itself.
 */
#pragma once

#include "plant.h"

#include <jansson.h>

/* Three tickets of one expert each, everything published by publish(); then verify must say ok. */
struct scene {
    struct world w;
    struct planted t[3];
};

/* Nothing is published yet. Ends by world_drop(&scene->w). */
void scene_make(struct scene *scene);

struct verdict {
    int code;
    json_t *facts;
    char *err;
};

/* Runs squad verify --json; free with verdict_free. */
struct verdict scene_verify(struct scene *scene, const char *args);
void verdict_free(struct verdict *verdict);

/* A number of the verdict, which must be there. */
long verdict_fact(const struct verdict *verdict, const char *name);

/* Exactly these two checks found exactly so much, the others nothing; "": none. */
void scene_expect(struct scene *scene, const char *args, const char *what, long n,
                  const char *what2, long n2);
void scene_clean(struct scene *scene, const char *args);

/* Runs SQL with the triggers and foreign keys off, as nothing else can. */
void scene_spoil(struct scene *scene, const char *sql);
