/*
 * sender.h - HTTP POSTs side by side: curl_multi inside the loop.
 *
 * No redirects, http and https only, what the receiver answers is thrown away
 * unread beyond 64 KiB. Connections are kept and used again.
 */
#pragma once

#include "err.h"
#include "loop.h"

#include <stddef.h>
#include <stdint.h>

struct post {
    const char *url, *body; /* body borrowed until done; url copied */
    const char *headers[6]; /* "name: value", copied; NULL-terminated */
    long timeout_ms;
    void *ctx;
};

struct answer {
    void *ctx;             /* of the post */
    long status;           /* of HTTP; 0: none came */
    const char *error;     /* why none came, without address or secret; NULL when one came */
    int64_t retry_after_s; /* 0: not given */
};

/* Called in the loop; may post again. */
typedef void sender_done_fn(void *ctx, const struct answer *answer);

struct sender;

/* Has at most max_total connections, max_per_host of them to one host; done is called with ctx for
 * each post. Owned. */
int sender_new(struct sender **ret, struct loop *loop, long max_total, long max_per_host,
               sender_done_fn *done, void *ctx, struct err *reterr);
void sender_free(
    struct sender *sender); /* NULL is fine; done is called for what is in flight, with an error */

/* Begins a POST at once; done is called later, exactly once. False when the address is no http(s)
 * URL. */
bool sender_post(struct sender *sender, const struct post *post);
