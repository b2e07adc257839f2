"""How the demo runs its rounds: service and load in child processes of their own, one loop at a time.

Order alternates from round to round, so that a drift of the machine favours neither loop. The load always
runs on stock asyncio. A failure of any run fails the demo after its output is shown.
"""

import contextlib
import json
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from examples.demo_interrupts import held_interrupts
from examples.demo_report import account_lines, comparison_lines, show_rate, show_time
from examples.demo_service import ROOT, Service
from examples.demo_tally import Measured

BAR_WIDTH = 24
REDRAW = "\r\x1b[K"  # start of the line, erase it
SPARE_DESCRIPTORS = 64


class DemoError(Exception):
    """The demo cannot vouch for its numbers: the message says what went wrong."""


class Progress:
    """One line that is rewritten in place on a terminal; elsewhere only its last state is printed."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._live = sys.stdout.isatty()

    def show(self, fraction: float, text: str) -> None:
        """Draw the bar."""
        if self._live:
            filled = round(BAR_WIDTH * min(1.0, fraction))
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            print(f"{REDRAW}{self._title} [{bar}] {text}", end="", flush=True)

    def end(self, text: str) -> None:
        """Replace the bar by the run's outcome."""
        print(f"{REDRAW if self._live else ''}{self._title} {text}", flush=True)


def run_demo(loops: Sequence[str], rounds: int, seconds: float, clients: int) -> None:
    """Run all rounds and print the comparison and the last account that a loop gave of itself."""
    allow_descriptors(clients + SPARE_DESCRIPTORS)
    tenth = max(1, clients // 10)
    print(
        f"uvicorn + FastAPI under {clients} concurrent clients: "
        f"{clients - 2 * tenth} JSON, {tenth} event streams, {tenth} WebSockets\n"
        f"Python {platform.python_version()}, {platform.platform()}\n",
        flush=True,
    )
    runs: dict[str, list[Measured]] = {name: [] for name in loops}
    accounts: dict[str, dict[str, Any]] = {}
    for number in range(rounds):
        for name in loops if number % 2 == 0 else reversed(loops):
            progress = Progress(f"round {number + 1}/{rounds}  {name:<10}")
            measured, account = run_once(name, seconds, clients, progress)
            runs[name].append(measured)
            if account is not None:
                accounts[name] = account
    print("\n" + "\n".join(comparison_lines(runs)))
    for name, account in accounts.items():
        print(f"\nWhat {name} says of its last run (GET /statistics):")
        print("\n".join("  " + line if line else "" for line in account_lines(account)))
    fail_on_wrong_answers(runs)


def allow_descriptors(needed: int) -> None:
    """Raise the soft limit on open files, which the children inherit (macOS starts with 256)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise DemoError(f"this user may open {hard} files but the demo needs {needed}: give fewer --clients.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def run_once(name: str, seconds: float, clients: int, progress: Progress) -> tuple[Measured, dict[str, Any] | None]:
    """Start the service on one loop, load it, and return the numbers and the loop's account of itself."""
    progress.show(0, "starting")
    with Service(name) as service:
        measured = load(service, seconds, clients, progress)
        if service.died():
            raise DemoError(f"the service on {name} died under load.\n{service.shown_output()}")
        if measured.requests == 0:
            raise DemoError(f"the service on {name} answered nothing.\n{service.shown_output()}")
        account = service.statistics()
    outcome = (
        f"{show_rate(measured.requests / measured.window_s):>9} requests/s"
        f"{show_time(measured.server_cpu_s / measured.requests):>10} CPU each"
        f"{measured.failures:>6} failures"
    )
    progress.end(outcome)
    return measured, account


def load(service: Service, seconds: float, clients: int, progress: Progress) -> Measured:
    """Run the load as a child process, follow its progress lines, and return its result."""
    command = [sys.executable, "-m", "examples.demo_client", "--port", str(service.port)]
    command += ["--clients", str(clients), "--seconds", str(seconds), "--server-pid", str(service.pid)]
    result: dict[str, Any] | None = None
    with load_process(command) as child:
        assert child.stdout is not None
        for line in child.stdout:
            report = json.loads(line)
            if "result" in report:
                result = report["result"]
            else:
                text = f"{report['elapsed_s']:4.1f} s  {report['requests']:>8,} requests"
                progress.show(report["elapsed_s"] / seconds, text)
        code = child.wait()
    if code != 0 or result is None:
        raise DemoError(f"the load on {service.loop_name} failed with code {code}.\n{service.shown_output()}")
    return Measured(**result)


@contextlib.contextmanager
def load_process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Start the load and end it on every way out; Ctrl-C does not reach it, so it prints no traceback."""
    child: subprocess.Popen[str] | None = None
    try:
        with held_interrupts():
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        yield child
    finally:
        if child is not None:
            child.kill()
            child.communicate()


def fail_on_wrong_answers(runs: dict[str, list[Measured]]) -> None:
    """Say that every answer was checked, or fail with the first complaints."""
    failures = {name: sum(run.failures for run in measured) for name, measured in runs.items()}
    checked = sum(run.requests for measured in runs.values() for run in measured)
    if not any(failures.values()):
        print(f"\n{checked:,} answers checked, none wrong.")
        return
    lines = [f"{count} failures on {name}" for name, count in failures.items() if count]
    complaints = [
        f"  {name}: {complaint}" for name, measured in runs.items() for run in measured for complaint in run.complaints
    ]
    raise DemoError(f"{', '.join(lines)}; the first of them:\n" + "\n".join(complaints[:10]))
