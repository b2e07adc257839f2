from asyncio import TimerHandle
from collections.abc import Iterator
from typing import final

@final
class TimerHeap:
    """asyncio's loop._scheduled: behaves as far as asyncio's own code uses it like its list."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[TimerHandle]: ...
    def clear(self) -> None: ...
