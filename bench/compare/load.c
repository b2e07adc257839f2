/* The load generator of bench/compare and bench/steps: one thread, one epoll, as little work per request as C allows.
 *
 * N connections each send one message (or one HTTP request), wait for the whole answer, and send the next.
 * The phases given on the command line run one after the other over the same connections. A phase ends when its
 * time or count is used up AND every answer has arrived, so the server is idle at both of its edges: requests are
 * counted exactly, and the server's on-CPU time (schedstat, summed over its threads) is settled when it is read.
 * The first phase compares every echoed byte with what was sent; the later ones count bytes only.
 *
 * load --port P | --unix PATH  [--udp | --tls | --http PATH] [--connections N] [--size S] [--pid PID] [--step] PHASE...
 *   PHASE   0.5s (seconds) or 500n (requests)
 *   --pid   the server whose CPU time is read      --step  wait for a line on stdin after each phase
 *   --freeze PID   for bench/steps: go in rounds of one request per connection, the server stopped by a signal while
 *           the round is sent. Each turn of the server then finds all connections ready, however the two are scheduled.
 *           The listener's backlog must hold all connections; not with --tls, whose handshake needs the server.
 * Prints one JSON object per phase; fails with one sentence on stderr.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#ifdef LOAD_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum {
    RECEIVE_SIZE = 256 * 1024,
    HEAD_SIZE = 8 * 1024,   /* the largest HTTP response head accepted */
    EVENTS = 1024,
    SUB_BUCKETS = 64,       /* histogram resolution: 1/64 of a power of two */
    BUCKETS = SUB_BUCKETS * 60,
    ANSWER_MS = 20000,      /* a server silent for longer is broken */
    RESEND_MS = 200,        /* a datagram that took longer is counted as lost and sent again */
};

struct connection {
    int fd;
    bool busy;              /* a request is under way */
    bool wants_write;       /* EPOLLOUT is registered */
    size_t sent;            /* of the message */
    size_t received;        /* of an echo, or of an HTTP body once head_done */
    size_t body_size;       /* from Content-Length */
    size_t head_size;
    bool head_done;
    uint64_t started_ns;
    char *head;             /* HTTP only */
#ifdef LOAD_TLS
    SSL *ssl;
#endif
};

static struct {
    int port, connections, pid, freeze;
    const char *unix_path, *http_path;
    size_t size;
    bool udp, tls, step;
} options = {.connections = 1, .size = 1024};

static struct {
    bool verify, counted;   /* counted: ends by requests, else by time */
    uint64_t limit, start_ns, deadline_ns;
    uint64_t begun, finished, lost;
    uint32_t latency[BUCKETS];
    uint64_t latency_max;
} phase;

static struct connection *connections;
static int poller;
static char *message;
static size_t message_size;
static char received_bytes[RECEIVE_SIZE];

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- latency histogram ---- */

static void record_latency(uint64_t ns) {
    size_t index = ns;
    if (ns >= SUB_BUCKETS) {
        int shift = 63 - __builtin_clzll(ns) - 6;
        index = (size_t)(shift + 1) * SUB_BUCKETS + (size_t)((ns >> shift) - SUB_BUCKETS);
    }
    phase.latency[index < BUCKETS ? index : BUCKETS - 1]++;
    if (ns > phase.latency_max) phase.latency_max = ns;
}

static uint64_t latency_at(double share) {
    uint64_t wanted = (uint64_t)((double)phase.finished * share), seen = 0;
    for (size_t index = 0; index < BUCKETS; index++) {
        seen += phase.latency[index];
        if (seen <= wanted) continue;
        if (index < SUB_BUCKETS) return index;
        return (uint64_t)(SUB_BUCKETS + index % SUB_BUCKETS) << (index / SUB_BUCKETS - 1);
    }
    return phase.latency_max;
}

/* ---- the server's CPU time ---- */

static uint64_t read_cpu_ns(void) {
    char path[300], text[128];
    uint64_t total = 0;
    snprintf(path, sizeof path, "/proc/%d/task", options.pid);
    DIR *folder = opendir(path);
    if (!folder) die("the server (process %d) is gone: %s.", options.pid, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", options.pid, entry->d_name);
        int fd = open(path, O_RDONLY);
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        if (size <= 0) continue; /* a thread that ended between the listing and the read */
        text[size] = 0;
        total += strtoull(text, NULL, 10);
    }
    closedir(folder);
    return total;
}

static uint64_t settled_cpu_ns(void) {
    if (!options.pid) return 0;
    uint64_t before = 0, now = read_cpu_ns();
    for (int attempt = 0; attempt < 30 && now != before; attempt++) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL); /* the kernel books CPU time when the server goes to sleep */
        before = now;
        now = read_cpu_ns();
    }
    return now;
}

/* ---- rounds ---- */

static void wait_state(char wanted) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", options.freeze);
    for (int attempt = 0; attempt < 200000; attempt++) {
        int fd = open(path, O_RDONLY);
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        if (fd >= 0) close(fd);
        if (size <= 0) die("the server (process %d) is gone.", options.freeze);
        text[size] = 0;
        char *name_end = strrchr(text, ')');
        if (name_end && name_end[2] == wanted) return;
        if (name_end && name_end[2] == 'Z') die("the server (process %d) has ended.", options.freeze);
        struct timespec pause = {.tv_nsec = 50000};
        nanosleep(&pause, NULL);
    }
    die("the server (process %d) did not come to state %c.", options.freeze, wanted);
}

static void freeze(void) {
    wait_state('S'); /* always at the same place: waiting for events */
    kill(options.freeze, SIGSTOP);
    wait_state('T');
}

/* ---- sockets ---- */

static void open_connection(struct connection *c) {
    int family = options.unix_path ? AF_UNIX : AF_INET, one = 1;
    c->fd = socket(family, options.udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (c->fd < 0) die("no socket: %s.", strerror(errno));
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (options.unix_path) strncpy(local.sun_path, options.unix_path, sizeof local.sun_path - 1);
    struct sockaddr *address = options.unix_path ? (struct sockaddr *)&local : (struct sockaddr *)&inet;
    if (connect(c->fd, address, options.unix_path ? sizeof local : sizeof inet))
        die("cannot connect to the server: %s.", strerror(errno));
    if (family == AF_INET && !options.udp) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

#ifdef LOAD_TLS
static void open_tls(struct connection *c, SSL_CTX *context) {
    c->ssl = SSL_new(context);
    SSL_set_fd(c->ssl, c->fd);
    if (SSL_connect(c->ssl) != 1) die("the TLS handshake failed: %s.", ERR_error_string(ERR_get_error(), NULL));
}

static ssize_t tls_result(struct connection *c, int size) {
    if (size > 0) return size;
    int error = SSL_get_error(c->ssl, size);
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return -1;
}
#endif

static ssize_t put(struct connection *c, const char *data, size_t size) {
#ifdef LOAD_TLS
    if (c->ssl) return tls_result(c, SSL_write(c->ssl, data, (int)size));
#endif
    return send(c->fd, data, size, MSG_NOSIGNAL);
}

static ssize_t take(struct connection *c) {
#ifdef LOAD_TLS
    if (c->ssl) return tls_result(c, SSL_read(c->ssl, received_bytes, sizeof received_bytes));
#endif
    return recv(c->fd, received_bytes, sizeof received_bytes, 0);
}

static void register_interest(struct connection *c, int operation, bool write) {
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) die("epoll_ctl failed: %s.", strerror(errno));
    c->wants_write = write;
}

static void open_all(void) {
#ifdef LOAD_TLS
    SSL_CTX *context = options.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (context) SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#endif
    poller = epoll_create1(0);
    connections = calloc((size_t)options.connections, sizeof *connections);
    for (int index = 0; index < options.connections; index++) {
        struct connection *c = &connections[index];
        open_connection(c);
#ifdef LOAD_TLS
        if (context) open_tls(c, context);
#endif
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        if (options.http_path) c->head = malloc(HEAD_SIZE + 1);
        register_interest(c, EPOLL_CTL_ADD, false);
    }
}

/* ---- one request ---- */

static void push_out(struct connection *c) {
    while (c->sent < message_size) {
        ssize_t size = put(c, message + c->sent, message_size - c->sent);
        if (size < 0 && errno == EAGAIN) break;
        if (size < 0) die("sending failed: %s.", strerror(errno));
        c->sent += (size_t)size;
    }
    bool unfinished = c->sent < message_size;
    if (unfinished != c->wants_write) register_interest(c, EPOLL_CTL_MOD, unfinished);
}

static void begin_request(struct connection *c, uint64_t now) {
    c->busy = true;
    c->sent = c->received = c->head_size = c->body_size = 0;
    c->head_done = false;
    c->started_ns = now;
    phase.begun++;
    push_out(c);
}

static void finish_request(struct connection *c) {
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    record_latency(now - c->started_ns);
    phase.finished++;
    c->busy = false;
    if (options.freeze) return; /* the next round begins it */
    if (phase.counted ? phase.begun < phase.limit : now < phase.deadline_ns) begin_request(c, now);
}

static void parse_head(struct connection *c) {
    c->head[c->head_size] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) {
        if (c->head_size == HEAD_SIZE) die("the response head is larger than %d bytes.", HEAD_SIZE);
        return;
    }
    if (strncmp(c->head, "HTTP/1.1 200", 12)) die("the server did not answer 200: %.60s", c->head);
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    if (!length || length > end) die("the response has no Content-Length.");
    c->body_size = strtoull(length + strlen("\r\ncontent-length:"), NULL, 10);
    c->received = c->head_size - (size_t)(end + 4 - c->head);
    c->head_done = true;
}

static bool accept_http(struct connection *c, size_t size) {
    size_t used = 0;
    if (!c->head_done) {
        used = size < HEAD_SIZE - c->head_size ? size : HEAD_SIZE - c->head_size;
        memcpy(c->head + c->head_size, received_bytes, used);
        c->head_size += used;
        parse_head(c);
    }
    if (!c->head_done) return false;
    c->received += size - used;
    if (c->received > c->body_size) die("the server sent more than its Content-Length.");
    return c->received == c->body_size;
}

static bool accept_echo(struct connection *c, size_t size) {
    if (c->received + size > message_size) die("the server sent back more than it was sent.");
    if (phase.verify && memcmp(message + c->received, received_bytes, size))
        die("the server sent back other bytes than it was sent.");
    c->received += size;
    return c->received == message_size;
}

static void take_in(struct connection *c) {
    for (;;) {
        ssize_t size = take(c);
        if (size < 0 && errno == EAGAIN) return;
        if (size < 0) die("receiving failed: %s.", strerror(errno));
        if (size == 0) die("the server closed a connection.");
        if (!c->busy) die("the server sent bytes that nobody asked for.");
        if (options.http_path ? accept_http(c, (size_t)size) : accept_echo(c, (size_t)size)) finish_request(c);
        if (!options.tls) return; /* level-triggered epoll tells when there is more; TLS may hold decrypted bytes */
    }
}

/* ---- phases ---- */

static void resend_lost(void) {
    if (!options.udp) die("the server has not answered for 20 seconds.");
    for (int index = 0; index < options.connections; index++) {
        struct connection *c = &connections[index];
        if (!c->busy) continue;
        phase.lost++;
        c->sent = c->received = 0;
        push_out(c);
    }
}

static void begin_all(void) {
    if (options.freeze) freeze();
    for (int index = 0; index < options.connections; index++)
        if (!phase.counted || phase.begun < phase.limit)
            begin_request(&connections[index], clock_ns(CLOCK_MONOTONIC));
    if (options.freeze) kill(options.freeze, SIGCONT);
}

static void wait_all(void) {
    struct epoll_event events[EVENTS];
    while (phase.finished < phase.begun) {
        int count = epoll_wait(poller, events, EVENTS, options.udp ? RESEND_MS : ANSWER_MS);
        if (count == 0) resend_lost();
        for (int index = 0; index < count; index++) {
            struct connection *c = events[index].data.ptr;
            if (c->wants_write) push_out(c);
            if (events[index].events & ~(unsigned)EPOLLOUT) take_in(c);
        }
    }
}

static void prepare_phase(const char *text, bool first) {
    char *unit;
    double amount = strtod(text, &unit);
    memset(&phase, 0, sizeof phase);
    phase.verify = first;
    phase.counted = *unit == 'n';
    if (amount <= 0 || (*unit != 'n' && *unit != 's')) die("a phase is like 0.5s or 500n, not %s.", text);
    if (options.freeze && !phase.counted) die("--freeze goes with counted phases, like 500n, not %s.", text);
    phase.limit = phase.counted ? (uint64_t)amount : 0;
    phase.start_ns = clock_ns(CLOCK_MONOTONIC);
    phase.deadline_ns = phase.start_ns + (phase.counted ? 0 : (uint64_t)(amount * 1e9));
}

static void run_phase(const char *text, bool first) {
    uint64_t cpu_before = settled_cpu_ns(), own_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    prepare_phase(text, first);
    do {
        begin_all();
        wait_all();
    } while (options.freeze && phase.begun < phase.limit);
    uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC) - phase.start_ns;
    uint64_t own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own_before;
    printf("{\"requests\": %lu, \"wall_ns\": %lu, \"cpu_ns\": %lu, \"load_cpu_ns\": %lu, \"lost\": %lu, "
           "\"p50_ns\": %lu, \"p90_ns\": %lu, \"p99_ns\": %lu, \"max_ns\": %lu}\n",
           phase.finished, wall_ns, settled_cpu_ns() - cpu_before, own_ns, phase.lost,
           latency_at(0.5), latency_at(0.9), latency_at(0.99), phase.latency_max);
    fflush(stdout);
}

static void make_message(void) {
    if (options.http_path) {
        if (asprintf(&message, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", options.http_path) < 0) die("no memory.");
        message_size = strlen(message);
        return;
    }
    message_size = options.size;
    message = malloc(message_size);
    for (size_t index = 0; index < message_size; index++) message[index] = (char)('a' + index % 23);
    message[message_size - 1] = '\n'; /* one line, so that readline servers see exactly one */
}

static int parse_options(int count, char **words) {
    int index = 1;
    for (; index < count && !strncmp(words[index], "--", 2); index++) {
        const char *name = words[index] + 2;
        if (!strcmp(name, "udp")) options.udp = true;
        else if (!strcmp(name, "tls")) options.tls = true;
        else if (!strcmp(name, "step")) options.step = true;
        else if (index + 1 == count) die("--%s is unknown or wants a value.", name);
        else if (!strcmp(name, "port")) options.port = atoi(words[++index]);
        else if (!strcmp(name, "unix")) options.unix_path = words[++index];
        else if (!strcmp(name, "http")) options.http_path = words[++index];
        else if (!strcmp(name, "connections")) options.connections = atoi(words[++index]);
        else if (!strcmp(name, "size")) options.size = strtoull(words[++index], NULL, 10);
        else if (!strcmp(name, "freeze")) options.freeze = atoi(words[++index]);
        else if (!strcmp(name, "pid")) options.pid = atoi(words[++index]);
        else die("--%s is unknown.", name);
    }
    if (!options.port == !options.unix_path) die("give either --port or --unix.");
    if (options.connections < 1 || options.size < 1 || index == count) die("nothing to do.");
    return index;
}

int main(int count, char **words) {
    int first = parse_options(count, words);
#ifndef LOAD_TLS
    if (options.tls) die("this build has no TLS: OpenSSL's headers were missing.");
#endif
    make_message();
    if (options.freeze) freeze();
    open_all(); /* a stopped server accepts them all in one turn: where its objects lie in memory repeats too */
    if (options.freeze) kill(options.freeze, SIGCONT);
    for (int index = first; index < count; index++) {
        run_phase(words[index], index == first);
        int character = options.step ? 0 : '\n';
        while (character != '\n' && character != EOF) character = getchar();
        if (character == EOF) break;
    }
    return 0;
}
