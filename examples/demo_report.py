"""What the demo prints at its end: the comparison of the loops, and a loop's own account in readable form.

Pure functions from numbers to lines; nothing here measures or prints. The comparison shows the median over
the rounds of each loop, and the last loop's ratio to the first one's.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from examples.demo_tally import Measured

LABEL_WIDTH, COLUMN_WIDTH = 34, 13
Runs = Mapping[str, Sequence[Measured]]


class Row(NamedTuple):
    """One line of the comparison: its label, what it reads from a run, and how it is shown."""

    label: str
    value: Callable[[Measured], float]
    show: Callable[[float], str]


def show_rate(value: float) -> str:
    """Rate or count, to the nearest whole number."""
    return "none" if math.isnan(value) else f"{value:,.0f}"


def show_time(seconds: float) -> str:
    """Time with three significant digits and a fitting unit."""
    if math.isnan(seconds):
        return "none"
    scaled, unit = seconds * 1e6, "us"
    for larger in ("ms", "s"):
        if scaled >= 999.5:  # noqa: PLR2004  # would be shown as 1000
            scaled, unit = scaled / 1000, larger
    digits = 0 if scaled >= 99.95 else 1 if scaled >= 9.995 else 2  # noqa: PLR2004  # three significant digits
    return f"{scaled:,.{digits}f} {unit}"


def show_percent(fraction: float) -> str:
    """Fraction of one core, or of the time."""
    return f"{100 * fraction:.0f} %"


ROWS = (
    Row("requests per second", lambda run: run.requests / run.window_s, show_rate),
    Row("  JSON", lambda run: run.json_requests / run.window_s, show_rate),
    Row("  WebSocket messages", lambda run: run.websocket_answers / run.window_s, show_rate),
    Row("  event streams", lambda run: run.streams / run.window_s, show_rate),
    Row("tokens streamed per second", lambda run: run.tokens / run.window_s, show_rate),
    Row("JSON latency             p50", lambda run: run.json_p50_s, show_time),
    Row("                         p99", lambda run: run.json_p99_s, show_time),
    Row("WebSocket latency        p50", lambda run: run.websocket_p50_s, show_time),
    Row("                         p99", lambda run: run.websocket_p99_s, show_time),
    Row("time to first token      p50", lambda run: run.first_token_p50_s, show_time),
    Row("                         p99", lambda run: run.first_token_p99_s, show_time),
    Row("service: CPU per request", lambda run: run.server_cpu_s / max(1, run.requests), show_time),
    Row("service: share of one core", lambda run: run.server_cpu_s / run.window_s, show_percent),
    Row("client: share of one core", lambda run: run.client_cpu_s / run.window_s, show_percent),
)


def comparison_lines(runs: Runs) -> list[str]:
    """Table with a column for each loop and, for two and more, the ratio of the last to the first."""
    names = list(runs)
    compared = len(names) > 1
    heads = [*names, f"{names[-1]} / {names[0]}"] if compared else names
    lines = [" " * LABEL_WIDTH + "".join(head.rjust(max(COLUMN_WIDTH, len(head) + 3)) for head in heads)]
    lines.append("-" * len(lines[0]))
    for row in ROWS:
        medians = [median(row, runs[name]) for name in names]
        cells = [row.show(median) for median in medians]
        if compared:
            ratio = medians[-1] / medians[0] if medians[0] else math.nan
            cells.append("none" if math.isnan(ratio) else f"{ratio:.2f}x")
        shown = (cell.rjust(max(COLUMN_WIDTH, len(head) + 3)) for cell, head in zip(cells, heads, strict=True))
        lines.append(row.label.ljust(LABEL_WIDTH) + "".join(shown))
    return [*lines, *note_lines(runs)]


def median(row: Row, runs: Sequence[Measured]) -> float:
    """Median over the runs that have a value; NaN when none has."""
    values = [value for value in map(row.value, runs) if not math.isnan(value)]
    return statistics.median(values) if values else math.nan


def note_lines(runs: Runs) -> list[str]:
    """Say what the table's numbers mean and how far the rounds lay apart."""
    rounds = max(map(len, runs.values()))
    spreads = []
    for name, measured in runs.items():
        rates = [run.requests / run.window_s for run in measured]
        spreads.append(f"{name} {show_rate(min(rates))} to {show_rate(max(rates))}")
    lines = ["", "A request is one JSON answer, one WebSocket answer, or one whole event stream."]
    if rounds > 1:
        lines.append(f"Medians of {rounds} rounds; requests per second ranged: {', '.join(spreads)}.")
    return lines


def account_lines(account: Mapping[str, Any]) -> list[str]:
    """Show a loop's own statistics: counts in one line each, the two distributions as a table."""
    busy, idle, utilization = (
        show_time(account["busy_s"]),
        show_time(account["idle_s"]),
        account["utilization"],
    )
    lines = [
        f"turns {account['turns']:,}, polls {account['polls']:,}, steps {account['steps']:,}",
        f"busy {busy}, idle {idle}: utilization {show_percent(utilization)}",
        f"ready queue {account['ready_depth']:,} now, {account['ready_depth_max']:,} at most",
        f"timers {account['timers']:,} now",
        "",
    ]
    columns = ("mean_s", "p50_s", "p90_s", "p99_s", "max_s")
    lines.append(" " * 6 + "count".rjust(11) + "".join(name.removesuffix("_s").rjust(10) for name in columns))
    for kind in ("step", "lag"):
        spread = account[kind]
        times = "".join(show_time(spread[column]).rjust(10) for column in columns)
        lines.append(kind.ljust(6) + f"{spread['count']:,}".rjust(11) + times)
    lines += ["", "step: one callback or one resumption of a task.  lag: from ready until run."]
    return lines
