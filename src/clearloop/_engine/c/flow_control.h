/* A native class whose base is asyncio.transports._FlowControlMixin, a heap type with five slots.

   The base's tp_dealloc, tp_traverse and tp_clear are CPython's subtype_* functions. They start again from Py_TYPE(self),
   so the ones that Cython generates, which chain to the base, would recurse until the stack ends. The three functions
   below take their place. They know the object's references as two runs of PyObject pointers: the base's five slots,
   and the native class's own object fields, which its .pxd declares one after the other. */
#ifndef CLEARLOOP_FLOW_CONTROL_H
#define CLEARLOOP_FLOW_CONTROL_H

#include <Python.h>
#include <stddef.h>
#include <structmember.h>

/* CPython lays out the slots of one class by name, and the slots of its bases first. */
typedef struct {
    PyObject_HEAD
    PyObject *extra;           /* BaseTransport._extra */
    PyObject *high_water;      /* _FlowControlMixin._high_water */
    PyObject *loop;            /* _FlowControlMixin._loop */
    PyObject *low_water;       /* _FlowControlMixin._low_water */
    PyObject *protocol_paused; /* _FlowControlMixin._protocol_paused */
} clearloop_flow_control;

#define CLEARLOOP_BASE_REFERENCES 5

static struct {
    Py_ssize_t offset; /* of the first object field of the native class */
    Py_ssize_t count;  /* of its object fields */
    Py_ssize_t weak_references_offset;
    void (*freed)(void); /* counts, in debug builds */
} clearloop_own;

/* A new object's base slots are NULL, which code compiled by Cython would dereference: fill them before anything else. */
static void clearloop_fill_base(PyObject *self) {
    PyObject **fields = &((clearloop_flow_control *)self)->extra;
    for (Py_ssize_t i = 0; i < CLEARLOOP_BASE_REFERENCES; i++) fields[i] = Py_NewRef(Py_None);
}

static int clearloop_visit_run(PyObject **first, Py_ssize_t count, visitproc visit, void *arg) {
    for (Py_ssize_t i = 0; i < count; i++) Py_VISIT(first[i]);
    return 0;
}

static void clearloop_clear_run(PyObject **first, Py_ssize_t count) {
    for (Py_ssize_t i = 0; i < count; i++) {
        /* None rather than NULL: code that a destructor runs may still read the field. */
        PyObject *former = first[i];
        first[i] = Py_NewRef(Py_None);
        Py_XDECREF(former);
    }
}

static PyObject **clearloop_own_fields(PyObject *self) { return (PyObject **)((char *)self + clearloop_own.offset); }
static PyObject **clearloop_base_fields(PyObject *self) { return &((clearloop_flow_control *)self)->extra; }

static int clearloop_transport_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    int stop = clearloop_visit_run(clearloop_base_fields(self), CLEARLOOP_BASE_REFERENCES, visit, arg);
    return stop ? stop : clearloop_visit_run(clearloop_own_fields(self), clearloop_own.count, visit, arg);
}

static int clearloop_transport_clear(PyObject *self) {
    clearloop_clear_run(clearloop_base_fields(self), CLEARLOOP_BASE_REFERENCES);
    /* The first two own fields are the core and the write queue: native code uses them without looking. */
    clearloop_clear_run(clearloop_own_fields(self) + 2, clearloop_own.count - 2);
    return 0;
}

static void clearloop_transport_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return; /* it lives again */
    PyObject_GC_UnTrack(self);
    PyObject **weak_references = (PyObject **)((char *)self + clearloop_own.weak_references_offset);
    if (*weak_references != NULL) PyObject_ClearWeakRefs(self);
    PyObject **runs[] = {clearloop_base_fields(self), clearloop_own_fields(self)};
    Py_ssize_t counts[] = {CLEARLOOP_BASE_REFERENCES, clearloop_own.count};
    for (int run = 0; run < 2; run++)
        for (Py_ssize_t i = 0; i < counts[run]; i++) Py_CLEAR(runs[run][i]);
    clearloop_own.freed();
    type->tp_free(self);
    Py_DECREF(type);
}

/* Python code cannot make an instance: one without its loop would be a NULL pointer away from a crash. */
static PyObject *clearloop_refuse_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    return PyErr_Format(PyExc_TypeError, "%s is made by its loop's create_connection() and create_server() only",
                        type->tp_name);
}

/* Whether the running CPython lays out the five slots as described above: 0, or -1 with ImportError. */
static int clearloop_check_slot(PyObject *base, const char *name, Py_ssize_t offset) {
    PyObject *slot = PyObject_GetAttrString(base, name);
    if (slot == NULL) return -1;
    int same = Py_IS_TYPE(slot, &PyMemberDescr_Type) && ((PyMemberDescrObject *)slot)->d_member->offset == offset;
    Py_DECREF(slot);
    if (!same) PyErr_Format(PyExc_ImportError, "asyncio.transports._FlowControlMixin.%s is not where it was expected.", name);
    return same ? 0 : -1;
}

static int clearloop_install_slots(PyObject *native_class, PyObject *base, Py_ssize_t offset, Py_ssize_t count,
                                   Py_ssize_t weak_references_offset, void (*freed)(void)) {
    if (clearloop_check_slot(base, "_extra", offsetof(clearloop_flow_control, extra)) < 0 ||
        clearloop_check_slot(base, "_high_water", offsetof(clearloop_flow_control, high_water)) < 0 ||
        clearloop_check_slot(base, "_loop", offsetof(clearloop_flow_control, loop)) < 0 ||
        clearloop_check_slot(base, "_low_water", offsetof(clearloop_flow_control, low_water)) < 0 ||
        clearloop_check_slot(base, "_protocol_paused", offsetof(clearloop_flow_control, protocol_paused)) < 0)
        return -1;
    if (((PyTypeObject *)base)->tp_basicsize != sizeof(clearloop_flow_control)) {
        PyErr_SetString(PyExc_ImportError, "asyncio.transports._FlowControlMixin has more state than was expected.");
        return -1;
    }
    clearloop_own.offset = offset;
    clearloop_own.count = count;
    clearloop_own.weak_references_offset = weak_references_offset;
    clearloop_own.freed = freed;
    PyTypeObject *type = (PyTypeObject *)native_class;
    type->tp_traverse = clearloop_transport_traverse;
    type->tp_clear = clearloop_transport_clear;
    type->tp_dealloc = clearloop_transport_dealloc;
    type->tp_new = clearloop_refuse_new;
    return 0;
}

#endif
