/* Puts call_soon(), call_later() and call_at() on the native loop type as METH_FASTCALL | METH_KEYWORDS methods.

   Cython would pack *args into a tuple and parse keywords in a loop: measured 60 ns a call. asyncio's Task passes
   exactly one keyword, context=, so that case is compared by pointer first; any other call takes the slow path,
   which accepts and refuses what the Python signatures in asyncio.base_events accept and refuse. */
#ifndef CLEARLOOP_FASTCALL_H
#define CLEARLOOP_FASTCALL_H

#include <Python.h>

#define CLEARLOOP_MAX_ARGUMENTS 64 /* positional arguments on the slow path; more than that is refused by name */

/* The scheduling functions get all positional arguments (delay and callback included) and a borrowed context or None. */
typedef PyObject *(*clearloop_schedule)(PyObject *loop, PyObject *const *args, Py_ssize_t count, PyObject *context);

typedef struct {
    const char *name;
    int required_count;
    const char *required[2];
    clearloop_schedule schedule;
} clearloop_method;

static clearloop_method clearloop_soon = {"call_soon", 1, {"callback", NULL}, NULL};
static clearloop_method clearloop_later = {"call_later", 2, {"delay", "callback"}, NULL};
static clearloop_method clearloop_at = {"call_at", 2, {"when", "callback"}, NULL};
static PyObject *clearloop_context_name;
static PyObject *clearloop_context_name_of_tasks; /* asyncio's C tasks pass an equal string that is not interned */

static PyObject *clearloop_missing(const clearloop_method *method, Py_ssize_t first_missing) {
    return PyErr_Format(PyExc_TypeError, "%s() is missing the required argument '%s'", method->name,
                        method->required[first_missing]);
}

/* Keywords other than a lone context=: required arguments by name, or an error. */
static PyObject *clearloop_call_by_name(const clearloop_method *method, PyObject *loop, PyObject *const *args,
                                        Py_ssize_t count, PyObject *names) {
    PyObject *positional[CLEARLOOP_MAX_ARGUMENTS] = {NULL}, *context = Py_None;
    if (count > CLEARLOOP_MAX_ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments with keywords", method->name,
                            CLEARLOOP_MAX_ARGUMENTS);
    for (Py_ssize_t i = 0; i < count; i++) positional[i] = args[i];
    Py_ssize_t filled = count;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); k++) {
        PyObject *name = PyTuple_GET_ITEM(names, k), *value = args[count + k];
        int position = -1;
        for (int i = 0; i < method->required_count; i++)
            if (PyUnicode_CompareWithASCIIString(name, method->required[i]) == 0) position = i;
        if (position < 0 && PyUnicode_Compare(name, clearloop_context_name) == 0) {
            context = value;
        } else if (position < 0) {
            return PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", method->name, name);
        } else if (positional[position] != NULL) {
            return PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", method->name, name);
        } else {
            positional[position] = value;
            if (position >= filled) filled = position + 1;
        }
    }
    for (Py_ssize_t i = 0; i < method->required_count; i++)
        if (positional[i] == NULL) return clearloop_missing(method, i);
    return method->schedule(loop, positional, filled, context);
}

/* Whether the one keyword is context=: by pointer for Python code and for C tasks, once by comparison for each. */
static inline int clearloop_is_context(PyObject *name) {
    if (name == clearloop_context_name || name == clearloop_context_name_of_tasks) return 1;
    if (PyUnicode_Compare(name, clearloop_context_name) != 0) return 0;
    if (clearloop_context_name_of_tasks == NULL) clearloop_context_name_of_tasks = Py_NewRef(name);
    return 1;
}

static inline PyObject *clearloop_dispatch(const clearloop_method *method, PyObject *loop, PyObject *const *args,
                                           Py_ssize_t count, PyObject *names) {
    PyObject *context = Py_None;
    if (names != NULL && PyTuple_GET_SIZE(names) > 0) {
        if (PyTuple_GET_SIZE(names) != 1 || !clearloop_is_context(PyTuple_GET_ITEM(names, 0)))
            return clearloop_call_by_name(method, loop, args, count, names);
        context = args[count];
    }
    if (count < method->required_count) return clearloop_missing(method, count);
    return method->schedule(loop, args, count, context);
}

static PyObject *clearloop_call_soon(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    return clearloop_dispatch(&clearloop_soon, self, args, count, names);
}
static PyObject *clearloop_call_later(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    return clearloop_dispatch(&clearloop_later, self, args, count, names);
}
static PyObject *clearloop_call_at(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
    return clearloop_dispatch(&clearloop_at, self, args, count, names);
}

static PyMethodDef clearloop_methods[] = {
    {"call_soon", (PyCFunction)(void (*)(void))clearloop_call_soon, METH_FASTCALL | METH_KEYWORDS,
     "call_soon($self, callback, *args, context=None)\n--\n\n"
     "Run callback(*args) in the next turn, first in, first out; return its Handle."},
    {"call_later", (PyCFunction)(void (*)(void))clearloop_call_later, METH_FASTCALL | METH_KEYWORDS,
     "call_later($self, delay, callback, *args, context=None)\n--\n\n"
     "Run callback(*args) after delay seconds; return its TimerHandle."},
    {"call_at", (PyCFunction)(void (*)(void))clearloop_call_at, METH_FASTCALL | METH_KEYWORDS,
     "call_at($self, when, callback, *args, context=None)\n--\n\n"
     "Run callback(*args) once time() reaches when, in seconds; return its TimerHandle."},
    {NULL, NULL, 0, NULL}};

static int clearloop_install_methods(PyObject *type, clearloop_schedule soon, clearloop_schedule later,
                                     clearloop_schedule at) {
    clearloop_soon.schedule = soon;
    clearloop_later.schedule = later;
    clearloop_at.schedule = at;
    if ((clearloop_context_name = PyUnicode_InternFromString("context")) == NULL) return -1;
    for (PyMethodDef *method = clearloop_methods; method->ml_name != NULL; method++) {
        PyObject *descriptor = PyDescr_NewMethod((PyTypeObject *)type, method);
        if (descriptor == NULL) return -1;
        int failed = PyDict_SetItemString(((PyTypeObject *)type)->tp_dict, method->ml_name, descriptor);
        Py_DECREF(descriptor);
        if (failed) return -1;
    }
    PyType_Modified((PyTypeObject *)type);
    return 0;
}

#endif
