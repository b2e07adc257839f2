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
    from collections.abc import Callable, Iterator

__all__ = ["OVERRIDDEN", "RunForeverSteps", "drifted"]


if sys.version_info >= (3, 13):

    class RunForeverSteps:
        """Nothing to add: from 3.13 on BaseEventLoop has _run_forever_setup() and _run_forever_cleanup()."""

else:

    class RunForeverSteps:
        """What BaseEventLoop.run_forever() does before and after its turns, as separate methods."""

        _hooks_before: tuple[Any, Any] | None = None

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


# The parameters of the standard library's private methods that clearloop overrides or calls, in every form that it
# knows: a form is the names in order, and a trailing * marks names that only some versions have.
OVERRIDDEN: dict[Callable[..., Any], str] = {
    selector_events.BaseSelectorEventLoop._make_socket_transport: (
        "self sock protocol waiter extra server context*"
    ),
    selector_events.BaseSelectorEventLoop._make_ssl_transport: (
        "self rawsock protocol sslcontext waiter server_side server_hostname extra server"
        " ssl_handshake_timeout ssl_shutdown_timeout context*"
    ),
    selector_events.BaseSelectorEventLoop._start_serving: (
        "self protocol_factory sock sslcontext server backlog"
        " ssl_handshake_timeout ssl_shutdown_timeout context*"
    ),
    selector_events.BaseSelectorEventLoop._stop_serving: "self sock",
    selector_events.BaseSelectorEventLoop._add_reader: "self fd callback args context*",
    selector_events.BaseSelectorEventLoop._add_writer: "self fd callback args context*",
    selector_events.BaseSelectorEventLoop._remove_reader: "self fd",
    selector_events.BaseSelectorEventLoop._remove_writer: "self fd",
    selector_events.BaseSelectorEventLoop._ensure_fd_no_transport: "self fd",
    selector_events.BaseSelectorEventLoop._write_to_self: "self",
    base_events.BaseEventLoop._add_callback: "self handle",
    base_events.BaseEventLoop._timer_handle_cancelled: "self handle",
    base_events.BaseEventLoop._check_callback: "self callback method",
    base_events.BaseEventLoop._run_once: "self",
    base_events.Server._attach: "self transport*",
    base_events.Server._detach: "self transport*",
    asyncio.Handle._repr_info: "self",
}


def drifted() -> Iterator[str]:
    """Say of each private method of the running asyncio that no longer looks as clearloop expects, how it looks."""
    for method, form in OVERRIDDEN.items():
        found = list(inspect.signature(method).parameters)
        known = form.split()
        required = [name for name in known if not name.endswith("*")]
        allowed = [name.rstrip("*") for name in known]
        if found not in (required, allowed):
            yield f"{method.__qualname__}({', '.join(found)}) was expected to take ({', '.join(allowed)})"
