/* What differs by CPython version, for C: the only such file (loop/compat.py is its Python counterpart). */
#ifndef CLEARLOOP_COMPAT_H
#define CLEARLOOP_COMPAT_H

#include <Python.h>

#if PY_VERSION_HEX < 0x030C0000
/* Takes the raised exception as one normalized object, with its traceback, as 3.12 does. */
static inline PyObject *PyErr_GetRaisedException(void) {
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) PyException_SetTraceback(value, traceback);
    Py_XDECREF(traceback);
    Py_DECREF(type);
    return value;
}
#endif

#endif
