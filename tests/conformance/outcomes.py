"""What one test file on one loop came to: plain records, shared by the runner, the verdict and the report."""

from dataclasses import dataclass, field
from typing import Any

GOOD = frozenset({"passed", "skipped", "expected failure"})
BAD = ("failed", "error", "unexpected success", "crashed")
PREFIX = "test.test_asyncio."


@dataclass(frozen=True)
class Outcome:
    """One test's result; `detail` holds the last lines of its traceback, or the reason of a skip."""

    state: str
    detail: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.state in GOOD


NOT_RUN = Outcome("not run", "the test never started: a fixture failed, or the child ended before it")


@dataclass
class FileRun:
    """Every outcome of one file on one loop."""

    file: str
    loop: str
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    candidate_loops: int = 0
    stock_loops: int = 0
    test_loops: int = 0
    accidents: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, *states: str) -> int:
        return sum(outcome.state in states for outcome in self.outcomes.values())

    @property
    def passed(self) -> int:
        return self.count("passed", "expected failure")

    @property
    def failed(self) -> int:
        return self.count(*BAD)

    @property
    def skipped(self) -> int:
        return self.count("skipped")

    def as_json(self) -> dict[str, Any]:
        """The run as plain data: counts first, then each test."""
        return {
            "file": self.file,
            "loop": self.loop,
            "passed": self.passed,
            "failed": self.failed,
            "skipped": self.skipped,
            "loops": {"candidate": self.candidate_loops, "stock": self.stock_loops, "test": self.test_loops},
            "accidents": self.accidents,
            "flaky": self.flaky,
            "seconds": round(self.seconds, 1),
            "outcomes": {
                test: {"state": outcome.state, "detail": outcome.detail, "seconds": outcome.seconds}
                for test, outcome in self.outcomes.items()
            },
        }


def short(test_id: str) -> str:
    """A test's id without the package that all of them share."""
    return test_id.replace(PREFIX, "")
