"""<sys/socket.h>, <sys/uio.h>, <arpa/inet.h>: what a stream socket needs."""


cdef extern from * nogil:
    """
    #include <netinet/in.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0  /* CPython ignores SIGPIPE, which is enough where the flag does not exist */
    #endif
    """
    enum:
        MSG_NOSIGNAL, SHUT_WR
    struct iovec:
        void* iov_base
        size_t iov_len
    struct msghdr:
        iovec* msg_iov
        size_t msg_iovlen
    ssize_t recv(int fd, void* buffer, size_t size, int flags) noexcept
    ssize_t send(int fd, const void* buffer, size_t size, int flags) noexcept
    ssize_t sendmsg(int fd, const msghdr* message, int flags) noexcept
    int shutdown(int fd, int how) noexcept

cdef extern from * nogil:
    """
    #include <arpa/inet.h>
    #include <errno.h>
    #include <fcntl.h>
    typedef struct {
        struct sockaddr_storage storage;
        char host[INET6_ADDRSTRLEN];
        int port;
        unsigned int flow_info;
        unsigned int scope_id;
    } clearloop_peer;

    /* The next connection of a listening socket, non-blocking and closed on exec; or a negated error number. */
    static int clearloop_accept(int fd, clearloop_peer *peer) {
        socklen_t size = sizeof peer->storage;
    #ifdef SOCK_NONBLOCK
        int connection = accept4(fd, (struct sockaddr *)&peer->storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    #else
        int connection = accept(fd, (struct sockaddr *)&peer->storage, &size);
        if (connection >= 0) {
            fcntl(connection, F_SETFL, fcntl(connection, F_GETFL) | O_NONBLOCK);
            fcntl(connection, F_SETFD, FD_CLOEXEC);
        }
    #endif
        return connection >= 0 ? connection : -errno;
    }

    /* The parts of an Internet address: 4 or 6, or 0 for any other family. */
    static int clearloop_describe_peer(clearloop_peer *peer) {
        if (peer->storage.ss_family == AF_INET) {
            struct sockaddr_in *address = (struct sockaddr_in *)&peer->storage;
            inet_ntop(AF_INET, &address->sin_addr, peer->host, sizeof peer->host);
            peer->port = ntohs(address->sin_port);
            return 4;
        }
        if (peer->storage.ss_family == AF_INET6) {
            struct sockaddr_in6 *address = (struct sockaddr_in6 *)&peer->storage;
            inet_ntop(AF_INET6, &address->sin6_addr, peer->host, sizeof peer->host);
            peer->port = ntohs(address->sin6_port);
            peer->flow_info = ntohl(address->sin6_flowinfo);
            peer->scope_id = address->sin6_scope_id;
            return 6;
        }
        return 0;
    }
    """
    ctypedef struct Peer "clearloop_peer":
        char* host
        int port
        unsigned int flow_info
        unsigned int scope_id
    int accept_connection "clearloop_accept"(int fd, Peer* peer) noexcept
    int describe_peer "clearloop_describe_peer"(Peer* peer) noexcept
