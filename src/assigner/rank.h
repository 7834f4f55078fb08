/*
 * rank.h - what the objectives look at, and which of two experts they prefer. Pure.
 */
#pragma once

#include "candidates.h"

/* An expert as he was when he was looked at. */
struct rank {
    int64_t idle_since_us;
    int32_t used, capacity; /* slots, with those planned */
    int32_t surplus;        /* levels above what is needed */
    int32_t km;             /* FARTHEST_KM: unknown */
    int32_t id;
    uint32_t slot;
};

/* What a ticket prefers. */
struct taste {
    const struct roster *roster;
    const struct ticket_type *type;
    struct point place; /* of the ticket, when distance counts and it is known */
    int64_t now_us;
    int32_t sticky; /* 0: none */
    int priority;   /* of the ticket */
};

/* The objective is among those of the type. */
bool taste_has(const struct ticket_type *type, enum objective objective);

/* What the objectives see of the expert in a slot. surplus as expert_surplus() has it. */
struct rank rank_of(const struct taste *taste, uint32_t slot, int surplus);

/* Below 0: a is better. *ret_by: what decided; OBJECTIVES: the number alone. */
int rank_compare(const struct taste *taste, const struct rank *a, const struct rank *b,
                 enum objective *ret_by);

/* Heaps: the best (sign 1) or the worst (sign -1) on top. The caller has made room. */
void rank_push(const struct taste *taste, int sign, struct rank *heap, uint32_t *n,
               struct rank rank);
void rank_sift(const struct taste *taste, int sign, struct rank *heap, uint32_t n, uint32_t at);
void rank_pop(const struct taste *taste, int sign, struct rank *heap, uint32_t *n);
