"""Puts a chosen loop in the place of asyncio's default one, and counts the loops that are made.

What lives here: the names that are replaced, and nothing that knows about tests. It runs in each child before
a test module loads, and through hook/sitecustomize.py in every Python that a test starts.

Invariants:
1. Names that *make* loops are replaced; those that tests subclass (BaseSelectorEventLoop) stay.
2. Ours is a subclass of asyncio's, so isinstance and issubclass hold with the old class and the new one.
3. A loop that cannot be swapped in is an error, never a silent run on asyncio's own.
"""

import asyncio
import asyncio.unix_events as unix_events  # noqa: PLR0402  # mypy reads `from asyncio import unix_events` as a re-export
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STOCK = "asyncio"
OURS = "clearloop"
CONTROL = "control"
ENVIRONMENT_NAME = "CLEARLOOP_CONFORMANCE_LOOP"

_STOCK_CLASS: type[asyncio.AbstractEventLoop] = unix_events.SelectorEventLoop
_CREATING_NAMES = ("SelectorEventLoop", "_UnixSelectorEventLoop", "EventLoop")


@dataclass
class LoopCount:
    """How many loops this process made: of the candidate's class, of asyncio's own, of a test's own class."""

    candidate: int = 0
    stock: int = 0
    test: int = 0


class ControlEventLoop(asyncio.SelectorEventLoop):
    """asyncio's loop under another class: shows that the swap itself changes no result."""


counted = LoopCount()
installed: list[str] = []


def install(name: str) -> None:
    """Make `name` the loop that asyncio makes by default; once per process."""
    if installed:
        if installed != [name]:
            raise RuntimeError(f"this process runs {installed[0]} already, so {name} cannot be installed")
        return
    candidate = _loop_class(name)
    _count_instances(candidate)
    if candidate is not None:
        _replace_creating_names(candidate)
    installed.append(name)


def _loop_class(name: str) -> type[asyncio.AbstractEventLoop] | None:
    if name == STOCK:
        return None
    if name == CONTROL:
        return ControlEventLoop
    if name == OURS:
        import clearloop

        return clearloop.EventLoop
    raise ValueError(f"no loop is called {name!r}: choose {STOCK}, {OURS} or {CONTROL}")


def _replace_creating_names(candidate: type[asyncio.AbstractEventLoop]) -> None:
    for module in (asyncio, unix_events):
        for name in _CREATING_NAMES:
            if name in vars(module):
                setattr(module, name, candidate)
    policies = [
        value for value in vars(unix_events).values() if isinstance(value, type) and "_loop_factory" in vars(value)
    ]
    if not policies:
        raise RuntimeError("asyncio.unix_events has no policy with a _loop_factory: see how new_event_loop works now")
    for policy in policies:
        policy._loop_factory = candidate  # type: ignore[attr-defined]  # the filter above saw the attribute


def _count_instances(candidate: type[asyncio.AbstractEventLoop] | None) -> None:
    def made(loop: object) -> None:
        if candidate is not None and isinstance(loop, candidate):
            counted.candidate += 1
        elif isinstance(loop, _STOCK_CLASS):
            counted.stock += 1
        else:
            counted.test += 1

    # Each class counts its own kind only: a loop whose __init__ calls its base's is counted once.
    _wrap_init(asyncio.BaseEventLoop, made, but_not=_STOCK_CLASS)
    _wrap_init(_STOCK_CLASS, made, but_not=candidate)
    if candidate is not None:
        _wrap_init(candidate, made, but_not=None)


def _wrap_init(cls: type[Any], made: Callable[[object], None], but_not: type[Any] | None) -> None:
    original = cls.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if but_not is None or not isinstance(self, but_not):
            made(self)
        original(self, *args, **kwargs)

    cls.__init__ = init
