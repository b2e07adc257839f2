"""<sys/epoll.h> and <sys/eventfd.h> (Linux)."""

from libc.stdint cimport uint32_t, uint64_t


cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    enum:
        EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLL_CLOEXEC
    int epoll_create1(int flags) noexcept
    int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event) noexcept
    int epoll_wait(int epoll_fd, epoll_event* events, int max_events, int timeout_ms) noexcept

cdef extern from "<sys/eventfd.h>" nogil:
    enum:
        EFD_NONBLOCK, EFD_CLOEXEC
    int eventfd(unsigned int initial, int flags) noexcept
