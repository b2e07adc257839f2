"""clearloop.run() and clearloop.Runner: asyncio's contract, on a loop of clearloop's."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import clearloop

if TYPE_CHECKING:
    from collections.abc import Generator

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def loop_of() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_run_returns_the_result_and_closes_its_loop() -> None:
    loop = clearloop.run(loop_of())
    assert type(loop) is clearloop.EventLoop
    assert loop.is_closed()


def test_run_lets_an_exception_through() -> None:
    async def main() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        clearloop.run(main())


def test_run_cancels_what_is_left_and_ends_generators_and_threads() -> None:
    seen: list[str] = []

    async def left() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cancelled")

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            seen.append("generator closed")

    async def main() -> None:
        tasks.append(asyncio.create_task(left()))
        generators.append(numbers())
        await anext(generators[0])
        await asyncio.to_thread(seen.append, "thread")

    tasks: list[asyncio.Task[None]] = []
    generators: list[Any] = []
    clearloop.run(main())
    assert seen == ["thread", "cancelled", "generator closed"]


@pytest.mark.parametrize("debug", [True, False])
def test_debug_is_passed_on(debug: bool) -> None:
    assert clearloop.run(loop_of(), debug=debug).get_debug() is debug


def test_run_refuses_inside_a_running_loop_and_closes_the_coroutine() -> None:
    async def main() -> None:
        inner = loop_of()
        with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
            clearloop.run(inner)
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await inner

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clearloop.run(main())
    assert not caught


class Answer:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "answer"


@pytest.mark.parametrize("no_coroutine", [42, Answer()], ids=["number", "awaitable"])
def test_run_refuses_inside_a_running_loop_whatever_it_is_given(no_coroutine: Any) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
            clearloop.run(no_coroutine)

    clearloop.run(main())


@pytest.mark.parametrize("no_coroutine", [42, Answer()], ids=["number", "awaitable"])
def test_run_takes_what_asyncio_takes(no_coroutine: Any) -> None:
    def outcome(run: Any) -> tuple[type, str]:
        try:
            return str, run(no_coroutine)
        except (TypeError, ValueError) as error:
            return type(error), str(error)

    assert outcome(clearloop.run) == outcome(asyncio.run)


def test_a_runner_runs_more_than_once_on_one_loop_and_one_context() -> None:
    async def assign(value: str) -> str:
        before = VARIABLE.get()
        VARIABLE.set(value)
        return before

    with clearloop.Runner() as runner:
        loop = runner.get_loop()
        assert type(loop) is clearloop.EventLoop
        assert runner.run(assign("first")) == "unset"
        assert runner.run(assign("second")) == "first"
        other = contextvars.Context()
        assert runner.run(assign("elsewhere"), context=other) == "unset"
        assert other[VARIABLE] == "elsewhere"
        assert runner.run(loop_of()) is loop
        assert runner.run(assign("third")) == "second"
    assert loop.is_closed()
    assert VARIABLE.get() == "unset"


def test_a_runner_takes_debug_and_another_factory() -> None:
    with clearloop.Runner(debug=True, loop_factory=asyncio.SelectorEventLoop) as runner:
        loop = runner.run(loop_of())
        assert loop.get_debug()
    assert type(loop) is asyncio.SelectorEventLoop


def test_a_closed_runner_refuses() -> None:
    with clearloop.Runner() as runner:
        runner.run(loop_of())
    with pytest.raises(RuntimeError, match="Runner is closed"):
        runner.get_loop()


def test_an_interrupt_cancels_the_main_task_and_comes_out_of_run() -> None:
    seen: list[str] = []

    async def main() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        clearloop.run(main())
    assert seen == ["cancelled"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_main_task_that_outlives_an_interrupt_gives_its_result() -> None:
    async def main() -> str:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        return "result"

    assert clearloop.run(main()) == "result"


def test_a_system_exit_comes_out_of_run_with_its_code() -> None:
    async def main() -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit) as caught:
        clearloop.run(main())
    assert caught.value.code == 7
