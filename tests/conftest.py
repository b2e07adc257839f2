"""The loops every contract test runs on, and what is asserted after each; shared by all test rooms.

1. A test names `loop` or `run`; it then runs once on asyncio (the oracle) and once on each clearloop poller.
2. After the test the loop is closed, no file descriptor is left, the exception handler was told nothing that
   the test did not take out of `loop_errors`, and a debug build's object counters are where they were.
3. Nothing here waits for a clock: `until` polls a condition under the time limit of `run`.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

os.environ["CLEARLOOP_REQUIRE_NATIVE"] = "1"  # a silent fallback to asyncio would make every comparison pass

T = TypeVar("T")
FLAVOURS = ("asyncio", "clearloop", "clearloop-selectors")
SETTLING_TURNS = 10  # deferred connection_lost calls and done-callbacks need a few turns after a test's end

CHILD_PRELUDE = """
import asyncio, os, selectors, signal, socket, sys, threading
def new_loop():
    if {flavour!r} == "asyncio":
        return asyncio.SelectorEventLoop()
    import clearloop
    if {flavour!r} == "clearloop":
        return clearloop.EventLoop()
    return clearloop.EventLoop(selector=selectors.DefaultSelector())
def say(*words):
    print(*words, flush=True)
"""


class Run(Protocol):
    """Run a coroutine function to its end on the test's loop, under a time limit."""

    def __call__(self, main: Callable[[], Coroutine[Any, Any, T]], *, time_limit: float = 20.0) -> T: ...


class Child(Protocol):
    """Start a Python child that has `new_loop()`, `say()` and the usual modules; it is ended in teardown."""

    def __call__(self, source: str, *arguments: str) -> subprocess.Popen[str]: ...


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "only_clearloop(reason): the contract is clearloop's alone; asyncio does not promise it"
    )
    config.addinivalue_line(
        "markers",
        "asyncio_wrong(condition, reason): stock asyncio breaks the contract where condition holds",
    )


def new_loop_of(flavour: str) -> asyncio.SelectorEventLoop:
    if flavour == "asyncio":
        return asyncio.SelectorEventLoop()
    clearloop = importlib.import_module("clearloop")
    selector = selectors.DefaultSelector() if flavour == "clearloop-selectors" else None
    loop = clearloop.EventLoop() if selector is None else clearloop.EventLoop(selector=selector)
    assert isinstance(loop, asyncio.SelectorEventLoop)
    return loop


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name == "asyncio":
        for mark in request.node.iter_markers("only_clearloop"):
            pytest.skip(f"contract of clearloop alone: {mark.kwargs['reason']}")
        for mark in request.node.iter_markers("asyncio_wrong"):
            if mark.args[0]:
                pytest.skip(f"asyncio of Python {sys.version.split()[0]}: {mark.kwargs['reason']}")
    return name


@pytest.fixture
def loop_factory(flavour: str) -> Callable[[], asyncio.SelectorEventLoop]:
    return lambda: new_loop_of(flavour)


@pytest.fixture
def loop_errors() -> list[dict[str, Any]]:
    """Contexts given to the loop's exception handler, oldest first; a test takes out those it expects."""
    return []


def open_descriptors() -> dict[int, str]:
    """Number and target of each open file descriptor of this process."""
    found = {}
    for entry in Path("/dev/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except OSError:  # the descriptor of the listing itself is closed by now
            continue
    return found


def live_objects() -> dict[str, int]:
    """Native objects alive by kind; empty without a debug build of clearloop."""
    engine = sys.modules.get("clearloop._engine")
    if engine is None:
        return {}
    try:
        counters = importlib.import_module("clearloop._engine.counters")
    except ModuleNotFoundError:
        return {}
    return dict(counters.live_objects()) if counters.enabled() else {}


@pytest.fixture
def nothing_left(request: pytest.FixtureRequest, loop_errors: list[dict[str, Any]]) -> Iterator[None]:
    """Compare descriptors, reports and native objects before and after a test."""
    gc.collect()
    descriptors, objects = open_descriptors(), live_objects()
    yield
    # pytest itself still holds the fixtures' values, and log records with the loop among their arguments.
    logs_hold_loops = "caplog" in request.node.funcargs
    request.node.funcargs.clear()
    gc.collect()
    left = {fd: to for fd, to in open_descriptors().items() if descriptors.get(fd) != to}
    assert not left, f"file descriptors left open: {left}"
    unexpected = [str(context.get("message")) + f" {context.get('exception')!r}" for context in loop_errors]
    assert not unexpected, f"reported to the exception handler, not expected: {unexpected}"
    loop_errors.clear()
    if objects and not logs_hold_loops:
        gc.collect()
        assert live_objects() == objects, "native objects are not freed"


def collect_errors(loop: asyncio.AbstractEventLoop, errors: list[dict[str, Any]]) -> None:
    loop.set_exception_handler(lambda _loop, context: errors.append(context))


@pytest.fixture
def loop(
    loop_factory: Callable[[], asyncio.SelectorEventLoop],
    nothing_left: None,  # noqa: ARG001  the order of fixtures: it compares after this loop is closed
    loop_errors: list[dict[str, Any]],
) -> Iterator[asyncio.SelectorEventLoop]:
    """Give a fresh loop whose reports land in `loop_errors`; closed after the test."""
    fresh = loop_factory()
    collect_errors(fresh, loop_errors)
    yield fresh
    if not fresh.is_closed():
        fresh.run_until_complete(fresh.shutdown_asyncgens())
        fresh.run_until_complete(fresh.shutdown_default_executor())
    fresh.close()
    assert fresh.is_closed()


@pytest.fixture
def run(loop: asyncio.SelectorEventLoop) -> Run:
    def run_main(main: Callable[[], Coroutine[Any, Any, T]], *, time_limit: float = 20.0) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(time_limit):
                result = await main()
            for _turn in range(SETTLING_TURNS):
                await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks left running: {left}"
            return result

        return loop.run_until_complete(bounded())

    return run_main


@pytest.fixture
def child(flavour: str) -> Iterator[Child]:
    started: list[subprocess.Popen[str]] = []

    def start(source: str, *arguments: str) -> subprocess.Popen[str]:
        program = CHILD_PRELUDE.format(flavour=flavour) + source
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
