"""Error numbers of system calls as exceptions."""

import os


cdef object os_error(int number):
    return OSError(number, os.strerror(number))
