#include "hosts.h"

#include "mem.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a. */
static size_t bucket_of(const char *name)
{
    unsigned hash = 2166136261U;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash % HOSTS_BUCKETS;
}

struct host *hosts_take(struct hosts *hosts, const char *name)
{
    if (!name)
        return NULL;
    struct host **bucket = &hosts->buckets[bucket_of(name)], *h = *bucket;
    while (h && strcmp(h->name, name) != 0)
        h = h->next;
    if (!h) {
        h = mem_new(1, sizeof *h);
        h->name = mem_text(name);
        h->next = *bucket;
        *bucket = h;
        hosts->n++;
    }
    h->in_flight++;
    return h;
}

void hosts_release(struct hosts *hosts, struct host *host)
{
    if (!host || --host->in_flight > 0)
        return;
    struct host **p = &hosts->buckets[bucket_of(host->name)];
    while (*p != host)
        p = &(*p)->next;
    *p = host->next;
    hosts->n--;
    free(host->name);
    free(host);
}

const struct host *hosts_next(const struct hosts *hosts, const struct host *host)
{
    if (host && host->next)
        return host->next;
    for (size_t i = host ? bucket_of(host->name) + 1 : 0; i < HOSTS_BUCKETS; i++)
        if (hosts->buckets[i])
            return hosts->buckets[i];
    return NULL;
}

void hosts_free(struct hosts *hosts)
{
    for (size_t i = 0; i < HOSTS_BUCKETS; i++)
        for (struct host *h = hosts->buckets[i], *next; h; h = next) {
            next = h->next;
            free(h->name);
            free(h);
        }
    *hosts = (struct hosts){0};
}
