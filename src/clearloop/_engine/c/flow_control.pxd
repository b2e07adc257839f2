"""asyncio.transports._FlowControlMixin as a base of a native class (c/flow_control.h)."""


cdef extern from "c/flow_control.h":
    ctypedef struct FlowControl "clearloop_flow_control":
        pass

    ctypedef class asyncio.transports._FlowControlMixin [object clearloop_flow_control, check_size ignore]:
        cdef object extra
        cdef object high_water
        cdef object loop
        cdef object low_water
        cdef object protocol_paused

    void fill_base "clearloop_fill_base"(object transport) noexcept

    int install_slots "clearloop_install_slots"(
        object native_class, object base, Py_ssize_t offset, Py_ssize_t count,
        Py_ssize_t weak_references_offset, void (*freed)() noexcept) except -1
