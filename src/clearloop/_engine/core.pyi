import contextvars
from asyncio import Future, Handle, Task, TimerHandle
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from _typeshed import FileDescriptorLike

from clearloop._engine.poller import Poller
from clearloop._engine.ready import ReadyQueue
from clearloop._engine.timers import TimerHeap

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")

class Core:
    """Base of LoopCore: what a loop has. It cannot run."""

    slow_callback_duration: float
    _closed: bool
    _stopping: bool
    _debug: bool
    _thread_id: int | None
    _clock_resolution: float
    _timer_cancelled_count: int
    _task_factory: Any
    _current_handle: Handle | None
    _ready: ReadyQueue
    _scheduled: TimerHeap
    def _use_poller(self, poller: Poller) -> None: ...
    def _use_clock(self, clock: Callable[[], float]) -> None: ...
    def _settle(self) -> None: ...
    def _close_poller(self) -> None: ...
    # A data descriptor at run time: loop.time is time.monotonic itself unless somebody replaced it.
    def time(self) -> float: ...
    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: contextvars.Context | None = None
    ) -> Handle: ...
    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> TimerHandle: ...
    def call_at(
        self,
        when: float,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> TimerHandle: ...
    def create_future(self) -> Future[Any]: ...
    def create_task(self, coro: Coroutine[Any, Any, _T], **kwargs: Any) -> Task[_T]: ...
    def get_debug(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def is_running(self) -> bool: ...
    def stop(self) -> None: ...
    def _check_closed(self) -> None: ...
    def _write_to_self(self) -> None: ...
    def _add_callback(self, handle: Handle) -> None: ...
    def _timer_handle_cancelled(self, handle: Handle) -> None: ...
    def _add_reader(
        self,
        fd: FileDescriptorLike,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> Handle: ...
    def _add_writer(
        self,
        fd: FileDescriptorLike,
        callback: Callable[[*_Ts], object],
        *args: *_Ts,
        context: contextvars.Context | None = None,
    ) -> Handle: ...
    def _remove_reader(self, fd: FileDescriptorLike) -> bool: ...
    def _remove_writer(self, fd: FileDescriptorLike) -> bool: ...
    def _watched(self) -> dict[int, tuple[Any, Any, Any]]: ...
    def _watch(
        self,
        file_object: FileDescriptorLike,
        side: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> Handle: ...
    def _unwatch(self, fd: int, side: int) -> bool: ...
