"""A selectors.BaseSelector that shows what a native poller watches.

asyncio's own transports and its tools look at loop._selector. This face lets them look; it changes nothing.
"""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SelectorFace"]


class Watching(Protocol):
    """A loop that tells which fds its poller watches."""

    def _watched(self) -> dict[int, tuple[Any, Any, Any]]: ...


class SelectorFace(selectors.BaseSelector):
    """The fds that a loop's poller watches, each key's data its (reader, writer)."""

    def __init__(self, loop: Watching) -> None:
        self._loop = loop

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return {fd: key} of what is watched now."""
        return {
            fd: selectors.SelectorKey(
                file_object,
                fd,
                (selectors.EVENT_READ if reader is not None else 0)
                | (selectors.EVENT_WRITE if writer is not None else 0),
                (reader, writer),
            )
            for fd, (file_object, reader, writer) in self._loop._watched().items()
        }

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Return the key of a watched fd or file object; KeyError when it is not watched."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return super().get_key(fd)

    def close(self) -> None:
        """Do nothing: the loop closes its poller."""

    def _refuse(self) -> NoReturn:
        message = (
            "This selector shows what clearloop's poller watches and cannot change it; "
            "use loop.add_reader() and loop.add_writer()."
        )
        raise NotImplementedError(message)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ARG002 -- refused
        """Refuse: only the loop registers fds."""
        self._refuse()

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ARG002 -- refused
        """Refuse: only the loop unregisters fds."""
        self._refuse()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: ARG002 -- refused
        """Refuse: only the loop asks the kernel."""
        self._refuse()
