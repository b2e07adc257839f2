"""Starts one child process per file and loop, watches it, and reads back what it wrote.

What lives here: processes, their limits and their results. What an outcome means is verdict.py's business.

Invariants:
1. A child that dies or hangs costs one test: that test is blamed, and a new child runs the ones after it.
2. No process outlives its call: each child leads a process group, which is killed when the child is done.
3. Nothing is left on disk: the child's current and temporary directory is a folder that goes with it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance import swap
from tests.conformance.outcomes import FileRun, Outcome, short

HERE = Path(__file__).resolve().parent
LOG_LINES = 30
WATCH_INTERVAL_S = 0.2
EXIT_AFTER_DUMP_S = 10


@dataclass(frozen=True)
class Limits:
    """`test_s`: what a test may take. A child silent for `silence_s` is taken for hung and killed."""

    test_s: float = 30.0

    @property
    def silence_s(self) -> float:
        return 2 * self.test_s + 10  # a test raises at its limit; one that swallows that gets the same again


@dataclass
class _Attempt:
    """What one child process wrote, and how it ended."""

    events: list[dict[str, Any]]
    exit_code: int
    hung: bool
    log: str

    @property
    def finished(self) -> bool:
        return bool(self.events) and self.events[-1]["event"] == "end"

    @property
    def interrupted_test(self) -> str | None:
        last = self.events[-1] if self.events else {"event": "none"}
        return str(last["test"]) if last["event"] == "start" else None

    def ending(self) -> str:
        if self.hung:
            return "hung"
        if self.exit_code < 0:
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        return f"exited with code {self.exit_code}"


def run_file(file: str, loop: str, limits: Limits, only: tuple[str, ...] = ()) -> FileRun:
    """Run a file's tests (or those named in `only`) on a loop, in as many children as crashes demand."""
    run = FileRun(file, loop)
    began = time.monotonic()
    while True:
        attempt = _attempt(file, loop, limits, only, list(run.outcomes))
        _take(run, attempt)
        blamed = attempt.interrupted_test
        if blamed is not None:
            how = f"the child {attempt.ending()} in this test"
            run.accidents.append(f"{short(blamed)}: {how}")
            run.outcomes[blamed] = Outcome("crashed", f"{how}\n{attempt.log}")
        elif not attempt.finished:
            run.accidents.append(f"the child {attempt.ending()} outside any test\n{attempt.log}")
        elif attempt.hung or attempt.exit_code != 0:
            run.accidents.append(f"the child {attempt.ending()} after its last test\n{attempt.log}")
        if blamed is None:
            break
    run.seconds = time.monotonic() - began
    return run


def _take(run: FileRun, attempt: _Attempt) -> None:
    done = [event for event in attempt.events if event["event"] == "done"]
    for event in done:
        outcome = Outcome(event["state"], event["detail"], event["seconds"])
        seen = run.outcomes.get(event["test"])
        if seen is None or seen.good:  # a test listed twice keeps its worse outcome
            run.outcomes[event["test"]] = outcome
    if done:
        candidate, stock, test = done[-1]["loops"]
        run.candidate_loops += candidate
        run.stock_loops += stock
        run.test_loops += test


def _attempt(file: str, loop: str, limits: Limits, only: tuple[str, ...], done: list[str]) -> _Attempt:
    with (
        tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as control,
        tempfile.TemporaryDirectory(prefix="cwd-", ignore_cleanup_errors=True) as current,
    ):
        results, log = Path(control, "results"), Path(control, "log")
        results.touch()
        request = {"loop": loop, "file": file, "only": only, "done": done, "limit_s": limits.test_s}
        Path(control, "request").write_text(json.dumps(request | {"results": str(results)}))
        with log.open("wb") as log_file:
            process = subprocess.Popen(
                [sys.executable, str(HERE / "child.py"), str(Path(control, "request"))],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                cwd=current,
                env=_environment(loop, current),
                start_new_session=True,
            )
            try:
                hung = _watch(process, results, limits.silence_s)
            finally:
                with suppress(ProcessLookupError):  # the whole group is gone, as it should be
                    os.killpg(process.pid, signal.SIGKILL)
                exit_code = process.wait()
        events = [json.loads(line) for line in results.read_text().splitlines()]
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])
        return _Attempt(events, exit_code, hung, tail)


def _environment(loop: str, temporary: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {
        "PYTHONPATH": str(HERE / "hook"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": temporary,
        swap.ENVIRONMENT_NAME: loop,
        "CLEARLOOP_REQUIRE_NATIVE": "1",
    }


def _watch(process: "subprocess.Popen[bytes]", results: Path, silence_s: float) -> bool:
    """Wait for the child's end; True when it was silent for `silence_s` and stopped, its stacks dumped."""
    size, since = 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(WATCH_INTERVAL_S)
            return False
        now_size = results.stat().st_size
        if now_size != size:
            size, since = now_size, time.monotonic()
        elif time.monotonic() - since > silence_s:
            process.send_signal(signal.SIGABRT)  # faulthandler writes every thread's stack to the log
            with suppress(subprocess.TimeoutExpired):
                process.wait(EXIT_AFTER_DUMP_S)
            return True
