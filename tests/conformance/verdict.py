"""Judges a candidate loop's outcomes against asyncio's own: what counts as our failure, and what does not.

What lives here: the comparison and the exclusion list. It starts nothing and prints nothing.

Invariants:
1. A test counts against the candidate only when it passes on asyncio here, on this machine, in this run.
2. The exclusion list cannot rot: an exclusion whose test passes, or does not exist, is itself a complaint.
"""

import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance.outcomes import NOT_RUN, FileRun, Outcome, short


@dataclass(frozen=True)
class Exclusion:
    """A test that checks the stdlib's own internals, and why that does not bind another loop."""

    test: str
    versions: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Difference:
    """A test that passes on asyncio and does not on the candidate."""

    test: str
    outcome: Outcome
    excluded: str | None


@dataclass
class Verdict:
    """`complaints` are sentences, each a reason to fail the run."""

    differences: list[Difference] = field(default_factory=list)
    stock_failures: list[tuple[str, Outcome]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def load_exclusions(path: Path) -> list[Exclusion]:
    """Read the list; raises ValueError for an entry without its three fields."""
    entries = tomllib.loads(path.read_text()).get("exclusion", [])
    loaded = []
    for entry in entries:
        if set(entry) != {"test", "versions", "reason"} or not entry["versions"] or not entry["reason"].strip():
            raise ValueError(
                f"{path.name}: each exclusion states test, versions and reason, but this does not: {entry}"
            )
        loaded.append(Exclusion(entry["test"], tuple(entry["versions"]), entry["reason"]))
    return loaded


def for_this_python(exclusions: list[Exclusion]) -> dict[str, str]:
    """Test id to reason, for the running interpreter's version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {entry.test: entry.reason for entry in exclusions if version in entry.versions}


def judge(pairs: list[tuple[FileRun, FileRun]], exclusions: dict[str, str]) -> Verdict:
    """Compare (asyncio's run, the candidate's run) file by file."""
    verdict = Verdict()
    for stock, candidate in pairs:
        _judge_file(stock, candidate, exclusions, verdict)
    _judge_exclusions(pairs, exclusions, verdict)
    return verdict


def _judge_file(stock: FileRun, candidate: FileRun, exclusions: dict[str, str], verdict: Verdict) -> None:
    for test, expected in stock.outcomes.items():
        if not expected.good:
            verdict.stock_failures.append((short(test), expected))
            continue
        outcome = candidate.outcomes.get(test, NOT_RUN)
        if not outcome.good or (outcome.state == "skipped") != (expected.state == "skipped"):
            excluded = exclusions.get(short(test))
            verdict.differences.append(Difference(short(test), outcome, excluded))
            if excluded is None:
                verdict.complaints.append(f"{short(test)}: {expected.state} on asyncio, {outcome.state} on ours")
    # A test known only to the candidate is a fixture (setUpClass) that failed there.
    for test in candidate.outcomes.keys() - stock.outcomes.keys():
        if not candidate.outcomes[test].good:
            verdict.differences.append(Difference(short(test), candidate.outcomes[test], None))
            verdict.complaints.append(f"{short(test)}: only seen on ours, {candidate.outcomes[test].state}")
    _judge_process(stock, candidate, verdict)


def _judge_process(stock: FileRun, candidate: FileRun, verdict: Verdict) -> None:
    verdict.complaints += [f"{candidate.file}: {accident}" for accident in candidate.accidents]
    if stock.outcomes and not candidate.outcomes:
        verdict.complaints.append(f"{candidate.file}: ran no test, asyncio ran {len(stock.outcomes)}")
    if stock.stock_loops and not candidate.candidate_loops:
        verdict.complaints.append(
            f"{candidate.file}: made no loop of ours, asyncio made {stock.stock_loops} of its own"
        )
    if candidate.stock_loops:
        verdict.complaints.append(f"{candidate.file}: {candidate.stock_loops} loops were asyncio's own instead of ours")


def _judge_exclusions(pairs: list[tuple[FileRun, FileRun]], exclusions: dict[str, str], verdict: Verdict) -> None:
    ran = {candidate.file for _stock, candidate in pairs}
    passed = {
        short(test)
        for _stock, candidate in pairs
        for test, outcome in candidate.outcomes.items()
        if outcome.good and test not in candidate.flaky
    }
    known = {short(test) for stock, _candidate in pairs for test in stock.outcomes}
    for test in exclusions:
        if test.split(".")[0] not in ran:
            continue
        if test not in known:
            verdict.complaints.append(f"{test}: excluded, but this Python has no such test; remove the exclusion")
        elif test in passed:
            verdict.complaints.append(f"{test}: excluded, but it passes; remove the exclusion")
