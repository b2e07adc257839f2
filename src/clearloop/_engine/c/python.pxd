"""CPython's C API as far as Cython does not declare it (or declares it with reference counting in the way)."""

from cpython.buffer cimport Py_buffer
from cpython.ref cimport PyObject


cdef extern from "c/compat.h":
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    ctypedef struct PyTypeObject:
        traverseproc tp_traverse
        inquiry tp_clear

    PyObject* Py_None
    object PyErr_GetRaisedException()
    void PyErr_WriteUnraisable(object) noexcept
    int PyErr_CheckSignals() except -1
    object PyErr_SetFromErrno(object)

    object PyContext_CopyCurrent()
    # Pointers, because an argument of type object would be counted once more. enter_context() raises; the two others
    # return -1 with an exception set.
    int enter_context "PyContext_Enter"(PyObject*) except -1
    int try_enter_context "PyContext_Enter"(PyObject*) noexcept
    int leave_context "PyContext_Exit"(PyObject*) except -1
    int try_leave_context "PyContext_Exit"(PyObject*) noexcept

    PyObject* call_no_args "PyObject_CallNoArgs"(object) noexcept
    PyObject* call_one_arg "PyObject_CallOneArg"(object, object) noexcept
    PyObject* call_vector "PyObject_Vectorcall"(object, PyObject* const*, size_t, PyObject*) noexcept
    object call_for_object "PyObject_Vectorcall"(object, PyObject* const*, size_t, PyObject*)
    PyObject** tuple_items "&PyTuple_GET_ITEM"(object, Py_ssize_t) noexcept

    int try_get_buffer "PyObject_GetBuffer"(PyObject*, Py_buffer*, int) noexcept
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char*, Py_ssize_t) noexcept
    int resize_bytes "_PyBytes_Resize"(PyObject**, Py_ssize_t) except -1
