#include "health.h"

#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of one length, so that each beat overwrites the last one whole. */
enum { BEAT_DIGITS = 20, BEAT_BYTES = BEAT_DIGITS + 1 };

static int heartbeat_fd = -1;
static uint64_t beaten_ms;

static int write_beat(uint64_t now_ms)
{
    char beat[BEAT_BYTES + 1];
    snprintf(beat, sizeof beat, "%0*" PRIu64 "\n", BEAT_DIGITS, now_ms);
    beaten_ms = now_ms;
    return pwrite(heartbeat_fd, beat, BEAT_BYTES, 0) == BEAT_BYTES ? 0 : -1;
}

int health_open(const char *path, struct err *reterr)
{
    if (heartbeat_fd >= 0)
        close(heartbeat_fd);
    heartbeat_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (heartbeat_fd < 0 || write_beat(now_ms()))
        return err_fatal(reterr, EXIT_CONFIG, "could not write heartbeat file \"%s\": %s", path,
                         strerror(errno));
    return 0;
}

void health_beat(uint64_t now)
{
    /* A beat that could not be written is missed by the one who reads it. */
    if (heartbeat_fd >= 0 && now - beaten_ms >= HEALTH_BEAT_MS)
        (void)write_beat(now);
}

int health_wait_ms(int wait_ms)
{
    if (heartbeat_fd < 0 || (wait_ms >= 0 && wait_ms < HEALTH_BEAT_MS))
        return wait_ms;
    return HEALTH_BEAT_MS;
}

int health_check(const char *path, uint64_t now, struct err *reterr)
{
    char beat[BEAT_BYTES + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_fatal(reterr, EXIT_FOUND, "could not open heartbeat file \"%s\": %s", path,
                         strerror(errno));
    ssize_t got = pread(fd, beat, BEAT_BYTES, 0);
    close(fd);
    if (got != BEAT_BYTES || strspn(beat, "0123456789") != BEAT_DIGITS)
        return err_fatal(reterr, EXIT_FOUND, "\"%s\" is not a heartbeat file", path);
    uint64_t at = strtoull(beat, NULL, 10);
    if (at > now)
        return err_fatal(reterr, EXIT_FOUND,
                         "the last heartbeat is from before the machine started");
    if (now - at > HEALTH_STALE_MS)
        return err_fatal(reterr, EXIT_FOUND, "the last heartbeat is %" PRIu64 " ms old", now - at);
    return 0;
}
