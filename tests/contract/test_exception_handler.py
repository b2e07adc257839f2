"""The exception handler: what it is given, what it may be, what happens when it fails (trap 30)."""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import turn, unix_pair

if TYPE_CHECKING:
    from tests.conftest import Run


class Odd(BaseException):
    """Neither an Exception nor one of the two that end a run."""


def fail(error: type[BaseException] = ZeroDivisionError) -> None:
    raise error("on purpose")


@pytest.mark.parametrize("error", [ZeroDivisionError, Odd])
@pytest.mark.parametrize("method", ["call_soon", "call_later", "call_soon_threadsafe"])
def test_a_failing_callback_is_reported_with_message_exception_and_handle(
    loop: asyncio.AbstractEventLoop,
    loop_errors: list[dict[str, Any]],
    method: str,
    error: type[BaseException],
) -> None:
    schedule: Any = getattr(loop, method)
    handle = schedule(*([0] if method == "call_later" else []), fail, error)
    turn(loop)
    context = loop_errors.pop()
    assert set(context) == {"message", "exception", "handle"}
    assert context["message"].startswith("Exception in callback fail(")
    assert type(context["exception"]) is error
    assert context["handle"] is handle
    assert "fail" in [frame.name for frame in traceback.extract_tb(context["exception"].__traceback__)]


def test_a_handler_gets_the_loop_and_the_context(loop: asyncio.AbstractEventLoop) -> None:
    seen: list[tuple[object, object]] = []
    loop.set_exception_handler(lambda *arguments: seen.append(arguments))
    context = {"message": "from outside"}
    loop.call_exception_handler(context)
    assert seen == [(loop, context)]


def test_the_default_handler_logs_the_message_and_the_traceback(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop.set_exception_handler(None)
    assert loop.get_exception_handler() is None
    loop.call_soon(fail)
    turn(loop)
    (record,) = (record for record in caplog.records if record.name == "asyncio")
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("Exception in callback fail(")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_a_handler_that_raises_is_logged_and_the_loop_goes_on(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    loop.set_exception_handler(lambda _loop, _context: fail(LookupError))
    loop.call_soon(fail)
    loop.call_soon(seen.append, "goes on")
    turn(loop)
    assert seen == ["goes on"]
    assert "Unhandled error in exception handler" in caplog.text
    assert "LookupError" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_handler_that_interrupts_ends_the_run(loop: asyncio.AbstractEventLoop, error: type[BaseException]) -> None:
    loop.set_exception_handler(lambda _loop, _context: fail(error))
    loop.call_soon(fail)
    with pytest.raises(error):
        loop.run_forever()
    turn(loop, 1)


@pytest.mark.parametrize("wrong", [1, "text", object()], ids=["number", "text", "object"])
def test_a_handler_must_be_callable_or_none(loop: asyncio.AbstractEventLoop, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^A callable object or None is expected, got "):
        loop.set_exception_handler(wrong)


def test_a_default_handler_of_a_subclass_is_used(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(None)
    monkeypatch.setattr(loop, "default_exception_handler", seen.append)
    loop.call_soon(fail)
    turn(loop)
    assert isinstance(seen[0]["exception"], ZeroDivisionError)


def test_an_overridden_call_exception_handler_is_used(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(loop, "call_exception_handler", seen.append)
    loop.call_soon(fail)
    turn(loop)
    assert isinstance(seen[0]["exception"], ZeroDivisionError)


def test_a_task_whose_exception_nobody_took_is_reported(run: Run, loop_errors: list[dict[str, Any]]) -> None:
    async def failing() -> None:
        fail()

    async def main() -> None:
        task = asyncio.ensure_future(failing())
        await asyncio.wait([task])
        del task
        gc.collect()

    run(main)
    context = loop_errors.pop()
    assert context["message"] == "Task exception was never retrieved"
    assert isinstance(context["exception"], ZeroDivisionError)
    assert "future" in context


def test_a_failing_connection_lost_is_reported_and_the_socket_closed(
    run: Run, loop_errors: list[dict[str, Any]]
) -> None:
    class Failing(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            raise ZeroDivisionError(exc)

    async def main() -> None:
        ours, peer = unix_pair()
        loop = asyncio.get_running_loop()
        transport, _protocol = await loop.create_connection(Failing, sock=ours)
        transport.close()
        for _ in range(5):
            await asyncio.sleep(0)
        assert peer.recv(1) == b""
        peer.close()

    run(main)
    assert isinstance(loop_errors.pop()["exception"], ZeroDivisionError)
