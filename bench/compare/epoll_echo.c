/* The floor of bench/compare: what an echo costs when nothing but the kernel is left. One thread, level-triggered epoll.
 *
 * epoll_echo [--unix PATH]   prints "port N" (or "path PATH") and serves until a signal ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER_SIZE = 256 * 1024, EVENTS = 1024 };

struct client {
    int fd;
    char *unsent;       /* allocated when the socket would not take everything */
    size_t unsent_size;
};

static char buffer[BUFFER_SIZE];
static int poller;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int operation, struct client *client, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(poller, operation, client->fd, &event)) fail("epoll_ctl");
}

static void drop(struct client *client) {
    close(client->fd);
    free(client->unsent);
    free(client);
}

/* Reading stops while something is unsent: the pending bytes stay bounded by one buffer. */
static void keep_unsent(struct client *client, const char *data, size_t size) {
    char *copy = malloc(size);
    memcpy(copy, data, size);
    free(client->unsent);
    client->unsent = copy;
    client->unsent_size = size;
    watch(EPOLL_CTL_MOD, client, EPOLLOUT);
}

static void serve(struct client *client, uint32_t events) {
    if (events & EPOLLOUT) {
        ssize_t sent = send(client->fd, client->unsent, client->unsent_size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return drop(client);
        if (sent < 0) return;
        client->unsent_size -= (size_t)sent;
        memmove(client->unsent, client->unsent + sent, client->unsent_size);
        if (client->unsent_size == 0) watch(EPOLL_CTL_MOD, client, EPOLLIN);
        return;
    }
    ssize_t size = recv(client->fd, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return drop(client);
    ssize_t sent = send(client->fd, buffer, (size_t)size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return drop(client);
    if (sent < 0) sent = 0;
    if (sent < size) keep_unsent(client, buffer + sent, (size_t)(size - sent));
}

static void accept_client(int listener) {
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return; /* gone before we came */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails harmlessly on a Unix socket */
    struct client *client = calloc(1, sizeof *client);
    client->fd = fd;
    watch(EPOLL_CTL_ADD, client, EPOLLIN);
}

static int listen_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("port %d\n", ntohs(address.sin_port));
    return fd;
}

static int listen_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) fail("listen");
    printf("path %s\n", path);
    return fd;
}

int main(int count, char **words) {
    struct epoll_event events[EVENTS];
    bool local = count == 3 && !strcmp(words[1], "--unix");
    poller = epoll_create1(0);
    struct client listener = {.fd = local ? listen_unix(words[2]) : listen_tcp()};
    fflush(stdout);
    watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int index = 0; index < ready; index++) {
            struct client *client = events[index].data.ptr;
            if (client == &listener) accept_client(listener.fd);
            else serve(client, events[index].events);
        }
    }
}
