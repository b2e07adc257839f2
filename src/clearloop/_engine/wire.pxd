"""Bytes on their way into a socket, and the system calls that move bytes."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.ref cimport PyObject, Py_INCREF
from libc.errno cimport EAGAIN, EINTR, errno

from clearloop._engine.c.sys_socket cimport recv
from clearloop._engine.counters cimport QUEUED_CHUNK, count_made


cdef enum:               # results of WriteQueue.send_to(), beside a negated error number
    SENT = 0             # everything
    BLOCKED = 1          # what the kernel took; it will tell when it takes more


cdef struct Chunk:
    PyObject* data         # exact bytes, owned
    const char* start      # what is left of it
    size_t size


cdef class WriteQueue:
    cdef Chunk* chunks
    cdef Py_ssize_t first          # index of the oldest chunk
    cdef Py_ssize_t count
    cdef Py_ssize_t capacity
    cdef readonly size_t size      # bytes in all chunks

    cdef int make_room(self) except -1
    cdef int send_to(self, int fd) noexcept
    cdef void drop(self, size_t sent) noexcept
    cdef void forget_oldest(self) noexcept
    cdef void clear(self) noexcept

    cdef inline int append(self, bytes data, size_t skip) except -1:
        """Add data[skip:], which must not be empty."""
        cdef Chunk* chunk
        if self.first + self.count == self.capacity:
            self.make_room()
        chunk = &self.chunks[self.first + self.count]
        Py_INCREF(data)
        chunk.data = <PyObject*>data
        chunk.start = PyBytes_AS_STRING(data) + skip
        chunk.size = PyBytes_GET_SIZE(data) - skip
        self.count += 1
        count_made(QUEUED_CHUNK)
        self.size += chunk.size
        return 0


# Bytes moved, or a negated error number.
cdef inline ssize_t receive(int fd, char* buffer, size_t size) noexcept:
    cdef ssize_t received = recv(fd, buffer, size, 0)
    while received < 0 and errno == EINTR:
        received = recv(fd, buffer, size, 0)
    return received if received >= 0 else -errno

cdef ssize_t transmit(int fd, const char* data, size_t size) noexcept

cdef inline bint would_block(ssize_t result) noexcept:
    return result == -EAGAIN
