"""Runs CPython's own test.test_asyncio on asyncio's loop and on ours, and compares them test by test.

    python tests/conformance/run.py [--loop both] [--files test_streams ...] [--jobs 2] [--json FILE]

What lives here: the command line and the order of the work. README.md says how to read the output.
Exit code 0: every test that passes on asyncio passes on ours, but for those in exclusions.toml.
"""

import argparse
import importlib.util
import json
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # this folder is imported under its full name
from tests.conformance import report, swap
from tests.conformance.children import Limits, run_file
from tests.conformance.outcomes import FileRun, Outcome, short
from tests.conformance.verdict import for_this_python, judge, load_exclusions

LOOPS = {"both": [swap.STOCK, swap.OURS], "clearloop": [swap.OURS], "asyncio": [swap.STOCK]} | {
    "control": [swap.STOCK, swap.CONTROL]
}
RETRY_BUDGET_S = 300.0  # a loop with many hanging tests must not hold the run up for hours
Runs = dict[str, dict[str, FileRun]]


def discover() -> dict[str, int]:
    """Every test file of the running interpreter's test.test_asyncio, with its size."""
    spec = importlib.util.find_spec("test.test_asyncio") if importlib.util.find_spec("test") else None
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            f"{sys.executable} has no test.test_asyncio: this Python came without its test package "
            "(on Debian, install libpython3.X-testsuite)"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    return {path.stem: path.stat().st_size for path in sorted(folder.glob("test_*.py"))}


def run_all(files: dict[str, int], loops: list[str], jobs: int, limits: Limits) -> Runs:
    """Run each file on each loop, the large files first so that no core waits at the end."""
    runs: Runs = {file: {} for file in files}
    queue = [(file, loop) for file in sorted(files, key=lambda name: -files[name]) for loop in loops]
    with ThreadPoolExecutor(jobs) as pool:
        started = [pool.submit(run_file, file, loop, limits) for file, loop in queue]
        for number, future in enumerate(started, 1):
            run = future.result()
            runs[run.file][run.loop] = run
            print(
                f"[{number}/{len(queue)}] {run.file} on {run.loop}: {run.passed} passed, "
                f"{run.failed} failed, {run.skipped} skipped, {run.seconds:.0f} s",
                flush=True,
            )
    return {file: {loop: runs[file][loop] for loop in loops} for file in files}


def retry_lone_failures(runs: Runs, limits: Limits) -> None:
    """Run again, alone, each test that fails on one loop only: a busy machine may be the cause.

    A crash is not run again: no load excuses it, and it may need the tests before it.
    """
    spent = dict.fromkeys((loop for by_loop in runs.values() for loop in by_loop), 0.0)
    for by_loop in runs.values():
        for run in by_loop.values():
            others = [other for other in by_loop.values() if other is not run]
            for test, outcome in list(run.outcomes.items()):
                fails_elsewhere = any(not other.outcomes.get(test, outcome).good for other in others)
                if (
                    outcome.good
                    or outcome.state == "crashed"
                    or (others and fails_elsewhere)
                    or spent[run.loop] >= RETRY_BUDGET_S
                ):
                    continue
                spent[run.loop] += _retry(run, test, limits)
    for loop, seconds in spent.items():
        if seconds >= RETRY_BUDGET_S:
            print(f"{loop}: failures were run again for {seconds:.0f} s; those left count as they came")


def _retry(run: FileRun, test: str, limits: Limits) -> float:
    alone = run_file(run.file, run.loop, limits, only=(test,))
    again = alone.outcomes.get(test)
    if again is not None and again.good:
        print(f"again, alone: {short(test)} on {run.loop}: {again.state}", flush=True)
        run.outcomes[test] = Outcome(again.state, run.outcomes[test].detail, again.seconds)
        run.flaky.append(test)
    return alone.seconds


def conclude(runs: Runs, loops: list[str], exclusions: dict[str, str]) -> list[str]:
    """Print everything; the complaints that make the run fail."""
    print()
    report.print_table(runs)
    report.print_flaky(runs)
    if len(loops) == 1:
        for by_loop in runs.values():
            report.print_stock_failures(by_loop[loops[0]])
        return _failures_alone(runs, loops[0])
    stock, candidate = loops
    verdict = judge([(by_loop[stock], by_loop[candidate]) for by_loop in runs.values()], exclusions)
    report.print_verdict(verdict)
    return verdict.complaints


def _failures_alone(runs: Runs, loop: str) -> list[str]:
    complaints = []
    for by_loop in runs.values():
        run = by_loop[loop]
        complaints += [f"{run.file}: {accident}" for accident in run.accidents]
        complaints += [short(test) for test, outcome in run.outcomes.items() if not outcome.good]
    return complaints


def write_json(path: Path, runs: Runs, complaints: list[str]) -> None:
    """The whole run as data."""
    document = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "complaints": complaints,
        "runs": [run.as_json() for by_loop in runs.values() for run in by_loop.values()],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="CPython's own asyncio tests on asyncio's loop and on ours.")
    parser.add_argument(
        "--loop",
        choices=LOOPS,
        default="both",
        help="control: a do-nothing subclass of asyncio's loop, swapped in as ours",
    )
    parser.add_argument("--files", nargs="+", metavar="test_x", help="only these files of test.test_asyncio")
    parser.add_argument("--jobs", type=int, default=2, help="children at a time")
    parser.add_argument("--limit", type=float, default=Limits().test_s, help="seconds that one test may take")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every outcome there")
    return parser.parse_args()


def main() -> int:
    """Run what the command line asks for; 1 when the candidate loop falls short."""
    arguments = _arguments()
    known = discover()
    unknown = set(arguments.files or ()) - known.keys()
    if unknown:
        raise SystemExit(f"test.test_asyncio of {platform.python_version()} has no {', '.join(sorted(unknown))}")
    files = {file: known[file] for file in arguments.files or known}
    loops = LOOPS[arguments.loop]
    limits = Limits(arguments.limit)
    # The control needs no exclusions: it is asyncio.
    listed = load_exclusions(Path(__file__).parent / "exclusions.toml") if swap.OURS in loops else []
    runs = run_all(files, loops, arguments.jobs, limits)
    retry_lone_failures(runs, limits)
    complaints = conclude(runs, loops, for_this_python(listed))
    if arguments.json is not None:
        write_json(arguments.json, runs, complaints)
    total = report.merged([by_loop[loops[-1]] for by_loop in runs.values()])
    print(
        f"\nPython {platform.python_version()}, {loops[-1]}, {len(complaints)} complaints: "
        f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped"
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
