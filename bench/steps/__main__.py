"""`python -m bench.steps`: tells whether a commit changed what a request costs in user instructions.

--check compares clearloop with budgets.toml and fails when a cell is more than 3 % over; --update records
what was measured as the new budgets. Other loops can be counted with --loop, for comparison only.
"""

import argparse
import sys
import time

from bench.compare import contenders
from bench.steps import budgets, callgrind
from bench.steps.cells import ALL, BY_NAME, Cell


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a cell is over its budget")
    parser.add_argument("--update", action="store_true", help="record the measured numbers as budgets")
    parser.add_argument("--only", nargs="+", choices=BY_NAME, default=[], metavar="CELL")
    loops = [name for name in contenders.NAMES if name != contenders.C]
    parser.add_argument("--loop", choices=loops, default=contenders.OURS)
    arguments = parser.parse_args(words)
    if arguments.loop != contenders.OURS and (arguments.check or arguments.update):
        parser.error(f"budgets belong to {contenders.OURS}: --check and --update take no other --loop")
    return arguments


def choose(only: list[str], known: budgets.Limits, *, check: bool) -> list[Cell]:
    """Return the named cells, or all; a check leaves out later work that has no budget yet."""
    if only:
        return [BY_NAME[name] for name in only]
    return [cell for cell in ALL if not (check and cell.later and cell.name not in known.budget)]


def _report(cell: Cell, measured: float, known: budgets.Limits, *, judged: bool) -> bool:
    """Print one line; tell whether the cell failed."""
    verdict = budgets.judge(cell.name, measured, known) if judged else budgets.Verdict("")
    limit = known.ceiling.get(cell.name) or known.later.get(cell.name)
    when = " later" if cell.name in known.later else ""
    ceiling = f"ceiling{when} {limit:,}" if limit else ""
    budget = f"{known.budget[cell.name]:,}" if cell.name in known.budget else "-"
    print(f"{cell.name:18} {measured:10,.1f} {budget:>9}  {ceiling:20} {verdict.sentence}", flush=True)
    return verdict.failed


def main() -> int:
    """Count, print, judge; return the exit status."""
    arguments = parse()
    reason = contenders.absence(arguments.loop)
    if reason:
        print(f"{arguments.loop} cannot be counted: {reason}", file=sys.stderr)
        return 2
    library, known, start = callgrind.marker(), budgets.limits(), time.monotonic()
    ours = arguments.loop == contenders.OURS
    measured: dict[str, float] = {}
    failed = False
    print(f"{arguments.loop}, Python {budgets.VERSION}: user instructions per request or operation")
    print(f"{'cell':18} {'measured':>10} {'budget':>9}")
    for cell in choose(arguments.only, known, check=arguments.check):
        try:
            measured[cell.name] = callgrind.count(cell, arguments.loop, library)
        except callgrind.CountError as failure:
            print(f"{cell.name:18} not counted: {failure}", flush=True)
            failed = True
            continue
        failed |= _report(cell, measured[cell.name], known, judged=ours and arguments.check)
    if arguments.update:
        budgets.update(measured)
        print(f"wrote {budgets.FILE}")
    print(f"{time.monotonic() - start:.0f} s")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
