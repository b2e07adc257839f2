"""The three scheduling methods of the loop, attached as fast-call methods (c/fastcall.h says why)."""

from cpython.ref cimport PyObject


cdef extern from "c/fastcall.h":
    ctypedef object (*schedule_function "clearloop_schedule")(
        object loop, PyObject* const* arguments, Py_ssize_t count, object context)
    int install_methods "clearloop_install_methods"(
        object type, schedule_function soon, schedule_function later, schedule_function at) except -1
