"""Prints what a run came to: the table, the differences with their tracebacks, the totals."""

from tests.conformance import swap
from tests.conformance.outcomes import FileRun, short
from tests.conformance.verdict import Verdict

TRACEBACK_LINES = 14


def print_table(runs: dict[str, dict[str, FileRun]]) -> None:
    """One line per file; for each loop passed/failed/skipped and the loops made (+n! of the wrong kind)."""
    loops = list(next(iter(runs.values())))
    print("file".ljust(26) + "".join(f"{loop + ' pass/fail/skip':>26}{'loops':>8}" for loop in loops))
    for file, by_loop in runs.items():
        print(file.ljust(26) + "".join(_cells(run) for run in by_loop.values()))
    total = "".join(_cells(merged([by_loop[loop] for by_loop in runs.values()])) for loop in loops)
    print("total".ljust(26) + total)


def _cells(run: FileRun) -> str:
    own, wrong = (run.stock_loops, 0) if run.loop == swap.STOCK else (run.candidate_loops, run.stock_loops)
    made = f"{own}" + (f"+{wrong}!" if wrong else "")
    return f"{f'{run.passed}/{run.failed}/{run.skipped}':>26}{made:>8}"


def merged(runs: list[FileRun]) -> FileRun:
    """The runs of one loop as one."""
    total = FileRun("total", runs[0].loop)
    for run in runs:
        total.outcomes |= run.outcomes
        total.candidate_loops += run.candidate_loops
        total.stock_loops += run.stock_loops
    return total


def print_flaky(runs: dict[str, dict[str, FileRun]]) -> None:
    """Tests that failed at first and passed alone in a fresh process."""
    for by_loop in runs.values():
        for run in by_loop.values():
            for test in run.flaky:
                print(f"\nflaky on {run.loop}: {short(test)}: passed when run again, alone; at first:")
                print(_tail(run.outcomes[test].detail))


def print_stock_failures(run: FileRun) -> None:
    """Tests that asyncio fails on this machine, when nothing is compared with it."""
    for test, outcome in run.outcomes.items():
        if not outcome.good:
            print(f"\n{outcome.state} on {run.loop}: {short(test)}\n{_tail(outcome.detail)}")
    for accident in run.accidents:
        print(f"\n{run.file} on {run.loop}: {accident}")


def print_verdict(verdict: Verdict) -> None:
    """asyncio's own failures, then each difference with the end of its traceback, then every complaint."""
    for test, outcome in verdict.stock_failures:
        print(f"\nnot counted, asyncio's own loop fails it too: {test} ({outcome.state})")
        print(_tail(outcome.detail))
    for difference in sorted(verdict.differences, key=lambda found: (found.excluded is not None, found.test)):
        if difference.excluded is not None:
            print(f"\nexcluded: {difference.test}: {difference.excluded}")
        else:
            print(f"\n{difference.outcome.state}: {difference.test}\n{_tail(difference.outcome.detail)}")
    if verdict.complaints:
        print("\nThis run fails because:")
        for complaint in verdict.complaints:
            print(f"  {complaint}")


def _tail(detail: str) -> str:
    return "\n".join(f"    {line}" for line in detail.splitlines()[-TRACEBACK_LINES:])
