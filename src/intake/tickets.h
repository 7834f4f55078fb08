/*
 * tickets.h - the handlers of tickets that stand in files of their own, and
 * what they share.
 */
#pragma once

#include "request.h"
#include "resources.h"

void tickets_post(struct request *r);      /* tickets_post.c */
void tickets_post_call(struct request *r); /* tickets_post.c */
void tickets_list(struct request *r);      /* tickets_list.c */
void tickets_patch(struct request *r);     /* tickets_patch.c */
void tickets_cancel(struct request *r);    /* tickets_cancel.c */

extern const struct pg_stmt ticket_view_stmt, tickets_page_stmt, ticket_amend_stmt, ticket_id_stmt,
    ticket_cancel_stmt;

/* Hands the ticket of r->fields, which have been checked, to the store; the answer comes when it is
 * committed. key is hashed with its length. */
void ticket_store(struct request *r, const char *key, size_t key_len, bool is_call);

/* As ticket_store hashes key and body. */
void ticket_hashes(const struct request *r, const char *key, size_t key_len,
                   uint8_t ret_key[KEY_HASH_BYTES], uint8_t ret_body[BODY_HASH_BYTES]);

/* The path's reference as it is stored, or id, kept; the other one is NULL. False: neither, and
 * the reply is 404. */
bool ticket_named(struct request *r, const char **ret_ref, const char **ret_id);
