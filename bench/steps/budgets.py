"""The budget file: what each cell may cost by Python version, and how a measured number is judged."""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("budgets.toml")
TOLERANCE = 0.03
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"

Sections = dict[str, dict[str, dict[str, int]]]


@dataclass(frozen=True)
class Limits:
    """The limits of this Python version: cell name to instructions."""

    budget: dict[str, int]
    ceiling: dict[str, int]
    later: dict[str, int]


@dataclass(frozen=True)
class Verdict:
    """One judged cell; `failed` makes a check fail."""

    sentence: str
    failed: bool = False


def _sections() -> Sections:
    sections: Sections = tomllib.loads(FILE.read_text())
    return sections


def limits() -> Limits:
    """Read the limits of the running Python version."""
    sections = _sections()
    return Limits(*(sections.get(kind, {}).get(VERSION, {}) for kind in ("budget", "ceiling", "later")))


def judge(name: str, measured: float, known: Limits) -> Verdict:
    """Compare one measured cell with its ceiling, then with its budget."""
    if measured > known.ceiling.get(name, measured):
        return Verdict(f"over the ceiling of {known.ceiling[name]:,}", failed=True)
    if name not in known.budget:
        return Verdict(f"has no budget for Python {VERSION}: run --update", failed=True)
    change = measured / known.budget[name] - 1
    if change > TOLERANCE:
        return Verdict(f"over its budget by {change:.1%}", failed=True)
    if change < -TOLERANCE:
        return Verdict(f"under its budget by {-change:.1%}: lower it with --update")
    return Verdict("within its budget")


def _table(kind: str, version: str, numbers: dict[str, int]) -> str:
    lines = [f"{name} = {number}" for name, number in numbers.items()]
    return "\n".join([f'[{kind}."{version}"]', *lines]) + "\n"


def update(measured: dict[str, float]) -> None:
    """Write measured numbers as this version's budgets; everything else in the file stays."""
    sections = _sections()
    budget = sections.setdefault("budget", {}).setdefault(VERSION, {})
    budget.update({name: round(number) for name, number in measured.items()})
    comments = [line for line in FILE.read_text().splitlines() if line.startswith("#")]
    tables = [
        _table(kind, version, numbers)
        for kind in ("budget", "ceiling", "later")
        for version, numbers in sorted(sections.get(kind, {}).items())
    ]
    FILE.write_text("\n".join(["\n".join(comments) + "\n", *tables]))
