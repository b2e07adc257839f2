"""What differs by CPython version, for Python: the only such file (_engine/c/compat.h is its C counterpart).

Lives here: what newer versions' loops have and older ones lack, and the check that the standard library's private
methods which clearloop overrides still look as expected. Not here: any behaviour that all versions share.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from asyncio import base_events, events, selector_events
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OVERRIDDEN", "RunForeverSteps", "drifted"]


if sys.version_info >= (3, 13):

    class RunForeverSteps:
        """Nothing to add: from 3.13 on BaseEventLoop has _run_forever_setup() and _run_forever_cleanup()."""

else:

    class RunForeverSteps:
        """What BaseEventLoop.run_forever() does before and after its turns, as separate methods."""

        _hooks_before: tuple[Any, Any] | None = None
        _thread_id: int | None

        def _run_forever_setup(self: Any) -> None:
            self._check_closed()
            self._check_running()
            self._set_coroutine_origin_tracking(self._debug)
            self._hooks_before = sys.get_asyncgen_hooks()
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(
                firstiter=self._asyncgen_firstiter_hook,
                finalizer=self._asyncgen_finalizer_hook,
            )
            events._set_running_loop(self)

        def _run_forever_cleanup(self: Any) -> None:
            self._stopping = False
            self._thread_id = None
            events._set_running_loop(None)
            self._set_coroutine_origin_tracking(False)
            if self._hooks_before is not None:
                sys.set_asyncgen_hooks(*self._hooks_before)
                self._hooks_before = None


# The standard library's private methods that clearloop overrides or relies on: (owner, name) to parameters in order. A
# trailing * marks those that only some versions have.
_SELECTOR_LOOP = selector_events.BaseSelectorEventLoop
_TIMEOUTS = "ssl_handshake_timeout ssl_shutdown_timeout"
OVERRIDDEN: dict[tuple[type, str], str] = {
    (_SELECTOR_LOOP, "_make_socket_transport"): "self sock protocol waiter extra server context*",
    (_SELECTOR_LOOP, "_make_ssl_transport"): (
        f"self rawsock protocol sslcontext waiter server_side server_hostname extra server {_TIMEOUTS} context*"
    ),
    (_SELECTOR_LOOP, "_start_serving"): (f"self protocol_factory sock sslcontext server backlog {_TIMEOUTS} context*"),
    (_SELECTOR_LOOP, "_stop_serving"): "self sock",
    (_SELECTOR_LOOP, "_add_reader"): "self fd callback args context*",
    (_SELECTOR_LOOP, "_add_writer"): "self fd callback args context*",
    (_SELECTOR_LOOP, "_remove_reader"): "self fd",
    (_SELECTOR_LOOP, "_remove_writer"): "self fd",
    (_SELECTOR_LOOP, "_ensure_fd_no_transport"): "self fd",
    (_SELECTOR_LOOP, "_write_to_self"): "self",
    (_SELECTOR_LOOP, "_sock_accept"): "self fut sock",
    (base_events.BaseEventLoop, "_add_callback"): "self handle",
    (base_events.BaseEventLoop, "_timer_handle_cancelled"): "self handle",
    (base_events.BaseEventLoop, "_check_callback"): "self callback method",
    (base_events.BaseEventLoop, "_check_closed"): "self",
    (base_events.BaseEventLoop, "_check_thread"): "self",
    (base_events.BaseEventLoop, "_set_coroutine_origin_tracking"): "self enabled",
    (base_events.BaseEventLoop, "_run_once"): "self",
    (base_events.Server, "_attach"): "self transport*",
    (base_events.Server, "_detach"): "self transport*",
    (asyncio.Handle, "_repr_info"): "self",
}


def drifted() -> Iterator[str]:
    """Say of each private method of the running asyncio that no longer looks as clearloop expects, how it looks."""
    for (owner, name), form in OVERRIDDEN.items():
        known = form.split()
        required = [parameter for parameter in known if not parameter.endswith("*")]
        allowed = [parameter.rstrip("*") for parameter in known]
        method = getattr(owner, name, None)
        if method is None:
            yield f"{owner.__qualname__}.{name}() is gone"
            continue
        found = list(inspect.signature(method).parameters)
        if found not in (required, allowed):
            yield f"{owner.__qualname__}.{name}({', '.join(found)}) was expected to take ({', '.join(allowed)})"
