#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKET_BUFFER_BYTES = 64 * 1024 }; /* the kernel doubles it; else it grows to megabytes */

static int split(const char *host_port, char *host, size_t size, const char **ret_port)
{
    const char *colon = strrchr(host_port, ':');
    if (!colon || !colon[1])
        return -1;
    size_t n = (size_t)(colon - host_port);
    if (n >= 2 && host_port[0] == '[' && host_port[n - 1] == ']') {
        host_port++;
        n -= 2;
    }
    if (n >= size)
        return -1;
    memcpy(host, host_port, n);
    host[n] = '\0';
    *ret_port = colon + 1;
    return 0;
}

static int listen_on(const struct addrinfo *ai, long backlog)
{
    int one = 1, size = SOCKET_BUFFER_BYTES;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, (int)backlog) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void name_address(int fd, char *address, size_t size)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    char host[64] = "", port[16] = "";
    getsockname(fd, (struct sockaddr *)&addr, &len);
    getnameinfo((struct sockaddr *)&addr, len, host, sizeof host, port, sizeof port,
                NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(address, size, addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int listen_open(const char *option, const char *host_port, long backlog, char *ret_address,
                size_t size, struct err *reterr)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list = NULL;
    if (split(host_port, host, sizeof host, &port))
        return err_fatal(reterr, EXIT_CONFIG, "option %s must be HOST:PORT, is \"%s\"", option,
                         host_port);
    int rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (rc)
        return err_fatal(reterr, EXIT_CONFIG, "could not find the address %s: %s", host_port,
                         gai_strerror(rc));
    int fd = -1;
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
        fd = listen_on(ai, backlog);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return err_fatal(reterr, EXIT_CONFIG, "could not listen on %s: %s", host_port,
                         strerror(saved));
    name_address(fd, ret_address, size);
    return fd;
}
