"""Runs one file of CPython's test.test_asyncio in this process and writes one JSON line per event.

What lives here: all that happens inside the child. Its parent is children.py; the lines are their contract:
  {"event": "start", "test": id}   written before a test runs, so that a crash has a name
  {"event": "done", "test": id, "state": str, "detail": str, "seconds": float, "loops": [int, int, int]}
  {"event": "end"}                 every test was run; what comes after is the interpreter's exit

Invariants:
1. Each line is flushed as it is written: a child that dies loses nothing, a forked one repeats nothing.
2. A test that overstays raises SystemExit inside itself: the one exception that asyncio lets out of every
   callback and that unittest still counts as this test's error.
"""

import argparse
import faulthandler
import json
import os
import resource
import signal
import sys
import time
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TextIO

_ROOT = str(Path(__file__).resolve().parents[2])
if __name__ == "__main__":
    sys.path.pop(0)  # the tests must not see this folder's modules as top-level ones
sys.path.insert(0, _ROOT)
from tests.conformance import swap  # noqa: E402  # needs the lines above

sys.path.remove(_ROOT)

OPEN_FILES = 1024
DETAIL_LINES = 25
# Worst last: a test that reports twice (a failing subtest, then an error in tearDown) keeps the worse.
SEVERITY = ("passed", "skipped", "expected failure", "unexpected success", "failed", "error")

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class TimeLimitError(SystemExit):
    """The test ran longer than its limit."""


class Recorder(unittest.TestResult):
    """Writes each outcome as it comes and holds the running test to its time limit."""

    def __init__(self, out: TextIO, limit_s: float) -> None:
        super().__init__()
        self._out = out
        self._limit_s = limit_s
        self._running: str | None = None
        self._outcome: tuple[str, str] | None = None
        self._began = 0.0

    def write(self, event: str, **fields: Any) -> None:
        self._out.write(json.dumps({"event": event, **fields}) + "\n")
        self._out.flush()

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802  # unittest's name
        super().startTest(test)
        self._running, self._outcome, self._began = test.id(), None, time.monotonic()
        self.write("start", test=self._running)
        signal.signal(signal.SIGALRM, self._overstayed)
        signal.setitimer(signal.ITIMER_REAL, self._limit_s, self._limit_s)

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802  # unittest's name
        signal.setitimer(signal.ITIMER_REAL, 0)
        super().stopTest(test)
        if self._running is not None:  # 3.12.1 stops a skipped test that it never started
            state, detail = self._outcome or ("error", "the test ended without reporting an outcome")
            self.write_done(test.id(), state, detail)
            self._running = None

    def _overstayed(self, _signal_number: int, _frame: FrameType | None) -> None:
        raise TimeLimitError(f"the test ran longer than its limit of {self._limit_s:g} s")

    def write_done(self, test_id: str, state: str, detail: str) -> None:
        loops = [swap.counted.candidate, swap.counted.stock, swap.counted.test]
        seconds = round(time.monotonic() - self._began, 3) if self._running is not None else 0.0
        self.write("done", test=test_id, state=state, detail=detail, seconds=seconds, loops=loops)

    def _note(self, test: unittest.TestCase, state: str, detail: str = "") -> None:
        if self._running is None:  # a class's or module's fixture or skip, reported outside any test
            self.write_done(test.id(), state, detail)
        elif self._outcome is None or SEVERITY.index(state) > SEVERITY.index(self._outcome[0]):
            self._outcome = (state, detail)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802  # unittest's name
        self._note(test, "passed")

    def addError(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802  # unittest's name
        self._note(test, "error", _last_lines(err))

    def addFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802  # unittest's name
        self._note(test, "failed", _last_lines(err))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802  # unittest's name
        self._note(test, "skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: ErrorInfo) -> None:  # noqa: N802  # unittest's name
        self._note(test, "expected failure", _last_lines(err))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802  # unittest's name
        self._note(test, "unexpected success", "the test is marked expectedFailure and passed")

    def addSubTest(  # noqa: N802  # unittest's name
        self, test: unittest.TestCase, subtest: unittest.TestCase, err: ErrorInfo | None
    ) -> None:
        if err is not None and err[0] is not None:
            state = "failed" if issubclass(err[0], test.failureException) else "error"
            self._note(test, state, f"{subtest.id()}\n{_last_lines(err)}")


def _last_lines(err: ErrorInfo) -> str:
    lines = "".join(traceback.format_exception(*err)).rstrip().splitlines()
    return "\n".join(lines[-DETAIL_LINES:])


def _flatten(suite: unittest.TestSuite | unittest.TestCase) -> Iterator[unittest.TestCase]:
    if isinstance(suite, unittest.TestCase):
        yield suite
        return
    for part in suite:
        yield from _flatten(part)


def _choose(tests: list[unittest.TestCase], only: list[str], done: set[str]) -> list[unittest.TestCase]:
    if only:
        tests = [test for test in tests if test.id() in only]
    return [test for test in tests if test.id() not in done]


def _prepare_process() -> None:
    faulthandler.enable()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    ceiling = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Without this, assert_python_ok() starts its Pythons with -I, where no hook can swap the loop.
    from test.support import script_helper  # type: ignore[import-not-found]  # typeshed has no test package

    name = "__cached_interp_requires_environment"
    if name not in vars(script_helper):
        raise RuntimeError(f"test.support.script_helper has no {name}: see how it decides to isolate now")
    setattr(script_helper, name, True)


def main() -> int:
    """Run the tests that the request names; 0 whatever their outcomes are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("request", type=Path, help="JSON: loop, file, only, done, limit_s, results")
    request = json.loads(parser.parse_args().request.read_text())
    swap.install(request["loop"])
    _prepare_process()
    del sys.argv[1:]
    with Path(request["results"]).open("a") as out:
        os.set_inheritable(out.fileno(), False)
        recorder = Recorder(out, request["limit_s"])
        module = f"test.test_asyncio.{request['file']}"
        try:
            suite = unittest.defaultTestLoader.loadTestsFromName(module)
        except unittest.SkipTest as reason:
            recorder.write_done(module, "skipped", str(reason))
        else:
            unittest.TestSuite(_choose(list(_flatten(suite)), request["only"], set(request["done"]))).run(recorder)
        recorder.write("end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
