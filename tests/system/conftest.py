"""The two loops that every real program runs on, and how programs and child processes are run and ended.

1. A test that names `loop_name` (or anything made from it) runs on asyncio's loop and on clearloop: the first
   shows that the program itself is right.
2. `run_program` fails a program that passes but made the loop report an exception.
3. `children` ends every process it started, and fails nothing: the test says what it expects of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ROOT = Path(__file__).resolve().parents[2]
LOOP_SETTINGS = {"asyncio": "asyncio", "clearloop": "clearloop:new_event_loop"}
LISTENING = re.compile(r"running on http://127\.0\.0\.1:(\d+)")
START_TIMEOUT_S = 20.0

os.environ["CLEARLOOP_REQUIRE_NATIVE"] = "1"  # here and in every child: a silent fallback would make all tests pass

T = TypeVar("T")


class RunProgram(Protocol):
    """Run a coroutine function to its end on the loop under test, under a time limit."""

    def __call__(self, main: Callable[[], Coroutine[Any, Any, T]], *, time_limit: float = 15.0) -> T: ...


class Child:
    """One child process whose output (both streams) goes to a file; it leads a process group of its own."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_output(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Wait until the output matches."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (match := pattern.search(self.output())):
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.output()}"
            assert time.monotonic() < deadline, f"no {pattern.pattern!r} in time:\n{self.output()}"
            time.sleep(0.01)
        return match

    def wait_port(self) -> int:
        """Wait until uvicorn says where it listens."""
        return int(self.wait_output(LISTENING)[1])

    def wait_exit(self, timeout: float = 15.0) -> int:
        return self.process.wait(timeout)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def group_alive(self) -> bool:
        """Whether any process of the group, the ended leader aside, still exists."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # everything in the group has ended already
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="session", params=list(LOOP_SETTINGS))
def loop_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def loop_setting(loop_name: str) -> str:
    """Value of uvicorn's --loop."""
    return LOOP_SETTINGS[loop_name]


@pytest.fixture(scope="session")
def new_loop(loop_name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Factory of the loop under test; fails, never skips, where clearloop is not installed."""
    if loop_name == "asyncio":
        return asyncio.SelectorEventLoop
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("clearloop").new_event_loop
    return factory


@pytest.fixture
def run_program(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> RunProgram:
    def run(main: Callable[[], Coroutine[Any, Any, T]], *, time_limit: float = 15.0) -> T:
        reported: list[dict[str, Any]] = []

        async def limited() -> T:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
            async with asyncio.timeout(time_limit) as limit:
                result = await main()
            assert not limit.expired(), "the program took the time limit's cancellation for its own"
            return result

        with asyncio.Runner(loop_factory=new_loop) as runner:
            result = runner.run(limited())
            gc.collect()  # an exception that nobody retrieved is reported when its task is freed
        assert reported == []
        return result

    return run


@pytest.fixture(scope="module")
def module_children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Child]]:
    """Start Python children that live until the module's last test."""
    yield from started_children(tmp_path_factory.mktemp("children"))


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Start Python children that live until the test's end."""
    yield from started_children(tmp_path)


def started_children(folder: Path) -> Iterator[Callable[..., Child]]:
    running: list[Child] = []

    def start(*arguments: str) -> Child:
        child = Child([sys.executable, *arguments], folder / f"child-{len(running)}.log")
        running.append(child)
        return child

    yield start
    for child in running:
        child.end()


@pytest.fixture
def uvicorn_arguments(loop_setting: str) -> list[str]:
    """Command line of the example service under uvicorn's own command, on the loop under test."""
    return ["-m", "uvicorn", "examples.service:app", "--port", "0", "--loop", loop_setting]
