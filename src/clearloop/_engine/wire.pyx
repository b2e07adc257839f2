"""The wire: a queue of chunks, and recv, send and sendmsg with their errors sorted.

Lives here: what is to be sent, in order, and sending as much of it as the kernel takes.
Not here: when to send (transport) and what an error means for a connection (transport).

Invariants:
 1. size is the sum of the chunks' sizes; no chunk is empty.
 2. A chunk owns exact bytes: nobody can change them, and dropping them runs no code of the user.

Cost: one send() for one chunk, one sendmsg() for up to 64; no copy.
"""

cimport cython
from cpython.ref cimport Py_DECREF
from libc.errno cimport EINTR, errno
from libc.stdlib cimport free, realloc
from libc.string cimport memmove, memset

from clearloop._engine.counters cimport QUEUED_CHUNK, count_freed
from clearloop._engine.c.sys_socket cimport MSG_NOSIGNAL, iovec, msghdr, send, sendmsg


cdef enum:
    FIRST_CAPACITY = 4
    MOST_CHUNKS_AT_ONCE = 64


cdef ssize_t transmit(int fd, const char* data, size_t size) noexcept:
    cdef ssize_t sent = send(fd, data, size, MSG_NOSIGNAL)
    while sent < 0 and errno == EINTR:
        sent = send(fd, data, size, MSG_NOSIGNAL)
    return sent if sent >= 0 else -errno


cdef ssize_t transmit_chunks(int fd, Chunk* chunks, Py_ssize_t count, size_t* offered) noexcept:
    cdef iovec vectors[MOST_CHUNKS_AT_ONCE]
    cdef msghdr message
    cdef Py_ssize_t i
    cdef ssize_t sent
    memset(&message, 0, sizeof(message))
    offered[0] = 0
    for i in range(count):
        vectors[i].iov_base = <void*>chunks[i].start
        vectors[i].iov_len = chunks[i].size
        offered[0] += chunks[i].size
    message.msg_iov = vectors
    message.msg_iovlen = count
    sent = sendmsg(fd, &message, MSG_NOSIGNAL)
    while sent < 0 and errno == EINTR:
        sent = sendmsg(fd, &message, MSG_NOSIGNAL)
    return sent if sent >= 0 else -errno


@cython.final
cdef class WriteQueue:
    """Chunks of bytes that wait to be sent, oldest first."""

    def __dealloc__(self):
        self.clear()
        free(self.chunks)

    cdef int make_room(self) except -1:
        cdef Chunk* larger
        cdef Py_ssize_t capacity
        if self.first:
            memmove(self.chunks, self.chunks + self.first, self.count * sizeof(Chunk))
            self.first = 0
        if self.count > self.capacity // 2 or self.capacity == 0:
            capacity = 2 * self.capacity if self.capacity else FIRST_CAPACITY
            larger = <Chunk*>realloc(self.chunks, capacity * sizeof(Chunk))
            if larger == NULL:
                raise MemoryError
            self.chunks = larger
            self.capacity = capacity
        return 0

    cdef int send_to(self, int fd) noexcept:
        cdef ssize_t sent
        cdef size_t offered
        cdef Chunk* oldest
        while self.count:
            oldest = &self.chunks[self.first]
            if self.count == 1:
                offered = oldest.size
                sent = transmit(fd, oldest.start, offered)
                if sent == <ssize_t>offered:
                    self.count = self.first = 0
                    self.size = 0
                    count_freed(QUEUED_CHUNK)
                    Py_DECREF(<object>oldest.data)
                    return SENT
            else:
                sent = transmit_chunks(fd, oldest, min(self.count, MOST_CHUNKS_AT_ONCE), &offered)
            if sent < 0:
                return BLOCKED if would_block(sent) else <int>sent
            self.drop(<size_t>sent)
            if <size_t>sent < offered:
                return BLOCKED
        return SENT

    cdef void drop(self, size_t sent) noexcept:
        cdef Chunk* oldest
        while sent:
            oldest = &self.chunks[self.first]
            if sent < oldest.size:
                oldest.start += sent
                oldest.size -= sent
                self.size -= sent
                return
            sent -= oldest.size
            self.forget_oldest()

    cdef inline void forget_oldest(self) noexcept:
        cdef Chunk* oldest = &self.chunks[self.first]
        self.size -= oldest.size
        self.count -= 1
        self.first = self.first + 1 if self.count else 0
        count_freed(QUEUED_CHUNK)
        Py_DECREF(<object>oldest.data)

    cdef void clear(self) noexcept:
        while self.count:
            self.forget_oldest()
