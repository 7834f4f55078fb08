#include "sender.h"

#include "crash.h"
#include "mem.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

enum { ANSWER_MAX_BYTES = 65536, CONNECT_TIMEOUT_MS = 3000 };

struct sender {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;    /* curl's */
    struct loop_timer deadline; /* of the first in flight whose time is over */
    sender_done_fn *done;
    void *ctx;
    struct transfer *first; /* all in flight */
};

struct transfer {
    struct sender *sender;
    CURL *easy;
    struct curl_slist *headers;
    void *ctx;
    long timeout_ms;
    uint64_t deadline_ms;
    curl_socket_t fd; /* CURL_SOCKET_BAD: none yet */
    bool last_look;   /* has been taken after the deadline */
    size_t received;
    struct transfer *next, *previous;
};

struct socket {
    struct sender *sender;
    struct loop_source *source;
    curl_socket_t fd;
};

static void end_transfer(struct transfer *t)
{
    struct sender *s = t->sender;
    *(t->previous ? &t->previous->next : &s->first) = t->next;
    if (t->next)
        t->next->previous = t->previous;
    curl_multi_remove_handle(s->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t);
}

static const char *error_text(const struct transfer *t, CURLcode code, char *buf, size_t size)
{
    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(buf, size, "no answer within %ld ms", t->timeout_ms);
        return buf;
    }
    return curl_easy_strerror(code); /* one of curl's fixed texts: names no address */
}

static void finish(struct transfer *t, CURLcode code)
{
    struct sender *s = t->sender;
    CRASH_POINT("notifier.answer.after");
    char buf[64];
    curl_off_t retry_after = 0;
    struct answer a = {.ctx = t->ctx};
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a.status);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    a.retry_after_s = retry_after;
    /* An answer that we cut off because it is too long has been given all the same. */
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && t->received > ANSWER_MAX_BYTES)) {
        a.error = error_text(t, code, buf, sizeof buf);
        a.status = 0;
    }
    end_transfer(t);
    s->done(s->ctx, &a);
}

static void take_finished(struct sender *s)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(s->multi, &left))) {
        struct transfer *t;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(t, code);
    }
}

static void on_socket_event(void *ctx, uint32_t events)
{
    struct socket *k = ctx;
    struct sender *s = k->sender;
    int running, mask = 0;
    if (events & EPOLLIN)
        mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(s->multi, k->fd, mask, &running);
    take_finished(s);
}

static void on_timer(void *ctx)
{
    struct sender *s = ctx;
    int running;
    curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(s);
}

static void set_deadline(struct sender *s)
{
    uint64_t first = 0;
    for (const struct transfer *t = s->first; t; t = t->next)
        if (!first || t->deadline_ms < first)
            first = t->deadline_ms;
    loop_timer_set(s->loop, &s->deadline, first);
}

static struct transfer *first_late(struct sender *s)
{
    struct transfer *t = s->first;
    while (t && t->deadline_ms > now_ms())
        t = t->next;
    return t;
}

/* curl's own limit gives up without a look at the socket. When this program was kept from looking,
 * by a slow statement or a busy machine, the answer may be there, and who gave it is not to be told
 * again. */
static void on_deadline(void *ctx)
{
    struct sender *s = ctx;
    struct transfer *t;
    while ((t = first_late(s))) {
        int running;
        if (t->last_look) {
            finish(t, CURLE_OPERATION_TIMEDOUT);
            continue;
        }
        t->last_look = true;
        if (t->fd != CURL_SOCKET_BAD)
            curl_multi_socket_action(s->multi, t->fd, CURL_CSELECT_IN, &running);
        take_finished(s);
    }
    set_deadline(s);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct sender *s = ctx;
    (void)multi;
    loop_timer_set(s->loop, &s->timer, timeout_ms < 0 ? 0 : now_ms() + (uint64_t)timeout_ms);
    return 0;
}

/* CURLINFO_ACTIVESOCKET knows none while the transfer runs. */
static void note_socket(CURL *easy, curl_socket_t fd, int what)
{
    struct transfer *t = NULL; /* stays so for a handle of curl's own */
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
    if (t && what != CURL_POLL_REMOVE)
        t->fd = fd;
    else if (t && t->fd == fd)
        t->fd = CURL_SOCKET_BAD;
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct sender *s = ctx;
    struct socket *k = socket_ctx;
    note_socket(easy, fd, what);
    if (what == CURL_POLL_REMOVE) {
        if (k)
            loop_remove(s->loop, k->source);
        free(k);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
    if (k) {
        loop_modify(s->loop, k->source, events);
        return 0;
    }
    k = mem_new(1, sizeof *k);
    *k = (struct socket){.sender = s, .fd = fd};
    k->source = loop_add(s->loop, fd, events, on_socket_event, k);
    curl_multi_assign(s->multi, fd, k);
    return 0;
}

static size_t discard(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    (void)data;
    t->received += size * n;
    return t->received > ANSWER_MAX_BYTES ? 0 : size * n;
}

int sender_new(struct sender **ret, struct loop *loop, long max_total, long max_per_host,
               sender_done_fn *done, void *ctx, struct err *reterr)
{
    struct sender *s = mem_new(1, sizeof *s);
    *s = (struct sender){.loop = loop, .done = done, .ctx = ctx};
    s->timer = (struct loop_timer){.fn = on_timer, .ctx = s};
    s->deadline = (struct loop_timer){.fn = on_deadline, .ctx = s};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    s->multi = curl_multi_init();
    if (!s->multi) {
        free(s);
        return err_fatal(reterr, EXIT_FOUND, "could not start libcurl");
    }
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max_total);
    curl_multi_setopt(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS, max_per_host);
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, max_total);
    *ret = s;
    return 0;
}

void sender_free(struct sender *s)
{
    if (!s)
        return;
    while (s->first)
        finish(s->first, CURLE_ABORTED_BY_CALLBACK);
    curl_multi_cleanup(s->multi);
    loop_timer_set(s->loop, &s->timer, 0);
    loop_timer_set(s->loop, &s->deadline, 0);
    free(s);
    curl_global_cleanup();
}

static void set_options(struct transfer *t, const struct post *post)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_URL, post->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(post->body));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "squad/" SQUAD_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* else the end waits for a name server */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     post->timeout_ms < CONNECT_TIMEOUT_MS ? post->timeout_ms
                                                           : (long)CONNECT_TIMEOUT_MS);
}

static bool is_usable(const char *address)
{
    CURLU *url = curl_url();
    bool ok =
        (strncasecmp(address, "http://", 7) == 0 || strncasecmp(address, "https://", 8) == 0) &&
        url && curl_url_set(url, CURLUPART_URL, address, 0) == CURLUE_OK;
    curl_url_cleanup(url);
    return ok;
}

bool sender_post(struct sender *s, const struct post *post)
{
    if (!is_usable(post->url))
        return false;
    struct transfer *t = mem_new(1, sizeof *t);
    t->sender = s;
    t->ctx = post->ctx;
    t->timeout_ms = post->timeout_ms;
    t->fd = CURL_SOCKET_BAD;
    t->deadline_ms = now_ms() + (uint64_t)post->timeout_ms;
    t->easy = curl_easy_init();
    if (!t->easy)
        abort();
    for (const char *const *h = post->headers; *h; h++)
        t->headers = curl_slist_append(t->headers, *h);
    set_options(t, post);
    t->next = s->first;
    if (t->next)
        t->next->previous = t;
    s->first = t;
    if (curl_multi_add_handle(s->multi, t->easy) == CURLM_OK) {
        set_deadline(s);
        CRASH_POINT("notifier.send.after");
        return true;
    }
    end_transfer(t);
    return false;
}
