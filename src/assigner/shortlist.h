/*
 * shortlist.h - the best of many candidates, without looking at all of them.
 *
 * A set of candidates (and, when distance counts, a place) keeps its best some
 * in a heap, and the rank of the best of the rest: the floor. What was written
 * down may be out of date in one direction only: an expert gets worse (another
 * slot used, off shift) unnoticed until he is looked at; whoever may have got
 * better is in the roster's log (roster_better) and is put in the heap before
 * it is used. So whoever is still as good as written and better than the floor
 * is the best. When the heap can not say, all are looked at and it is made anew:
 * once in some times the square root of their number.
 *
 * Knows nothing of one ticket: who is excluded or left to others is the caller's.
 */
#pragma once

#include "rank.h"

struct shortlist {
    struct rank *heap; /* owned: the best on top, room for twice the limit */
    uint32_t n, limit;
    struct rank floor;      /* when not complete: the best of all others */
    bool made, complete;    /* complete: there are no others */
    uint64_t seen;          /* of the roster's log */
    int64_t from_us, to_us; /* the clock it is good for, to_us not included */
};

/* Able to work on a job of this type from now_us on: on shift, not absent, available, a free slot.
 */
bool expert_can_work(const struct expert *expert, const struct ticket_type *type, int64_t now_us);

/* Borrowed until the next call or a change of the sets. */
struct shortlist *shortlist_of(struct roster *roster, const struct candidates *set,
                               const struct taste *taste);

/* Making it: begin, add each candidate whether or not he can work, end. */
void shortlist_begin(struct shortlist *list, const struct candidates *set,
                     const struct taste *taste);
void shortlist_add(struct shortlist *list, const struct taste *taste, uint32_t slot, int surplus);
void shortlist_end(struct shortlist *list, const struct taste *taste);

/* Takes what got better since. False: it must be made anew. */
bool shortlist_ready(struct shortlist *list, const struct candidates *set,
                     const struct taste *taste);

/* Takes out the next best who can work. 1: *ret is he; 0: there is nobody else; -1: it must be made
 * anew. */
int shortlist_take(struct shortlist *list, const struct candidates *set, const struct taste *taste,
                   struct rank *ret);

/* Gives back what was taken. */
void shortlist_give(struct shortlist *list, const struct taste *taste, const struct rank *rank);

/* Forgets all of them: the sets that they were made of are gone. */
void roster_forget_shortlists(struct roster *roster);
