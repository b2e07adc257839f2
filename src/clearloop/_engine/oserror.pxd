"""An error number as an exception."""


# The number is taken right behind the system call: Python code that runs in between may change errno.
cdef object os_error(int number)
