"""clearloop.run() and clearloop.Runner: asyncio's, with a clearloop loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from clearloop.loop.choice import new_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

__all__ = ["Runner", "run"]

T = TypeVar("T")


class Runner(asyncio.Runner):  # type: ignore[misc]  # final in the stubs, not at run time
    """A context manager that runs coroutines on one loop and shuts it down cleanly; asyncio.Runner's contract.

    Args:
        debug: debug mode; None leaves it to PYTHONASYNCIODEBUG and -X dev.
        loop_factory: makes the loop; clearloop's unless another is given.

    """

    def __init__(
        self,
        *,
        debug: bool | None = None,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    ) -> None:
        super().__init__(debug=debug, loop_factory=loop_factory or new_event_loop)


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """Run a coroutine on a new clearloop loop and return its result; asyncio.run's contract.

    Raises:
        RuntimeError: when a loop already runs in this thread.

    """
    if asyncio._get_running_loop() is not None:
        if asyncio.iscoroutine(main):
            main.close()  # or it would warn that it was never awaited
        message = "clearloop.run() cannot be called from a running event loop; await the coroutine instead"
        raise RuntimeError(message)
    with Runner(debug=debug) as runner:
        return runner.run(main)
