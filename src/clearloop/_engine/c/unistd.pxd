"""<unistd.h> and <pthread.h>: reading and closing plain fds, and knowing that we are a forked child."""


cdef extern from "<unistd.h>" nogil:
    ssize_t unistd_read "read"(int fd, void* buffer, size_t size) noexcept
    ssize_t unistd_write "write"(int fd, const void* buffer, size_t size) noexcept
    int unistd_close "close"(int fd) noexcept

cdef extern from "<fcntl.h>" nogil:
    enum:
        F_GETFD
    int fcntl(int fd, int command) noexcept

cdef extern from "<pthread.h>" nogil:
    int pthread_atfork(void (*prepare)(), void (*parent)(), void (*child)() noexcept) noexcept
