"""What is counted: an operation of bench/compare, or one of its servers under its load generator.

A cell runs uncounted to warm up, then a short and a long phase: their difference divided by the difference
of the counts is the cost of one request, with everything that a phase costs once cancelled out.
"""

from dataclasses import dataclass

CONNECTIONS = 100
SIZE = 1024


@dataclass(frozen=True)
class Cell:
    """One workload: `server` is a kind of bench.compare.server, `operation` a name of bench.compare.micro."""

    name: str
    warm: int
    short: int
    long: int
    server: str | None = None
    operation: str | None = None
    later: bool = False  # not native yet: checked only once it has a budget


def _server(name: str, kind: str, *, later: bool = False) -> Cell:
    return Cell(name, 1000, 1000, 5000, server=kind, later=later)


def _operation(name: str) -> Cell:
    return Cell(name, 1000, 1000, 5000, operation=name)


ALL = (
    _server("protocol_echo", "protocol"),
    _operation("call_soon"),
    _operation("call_later_cancel"),
    _operation("create_task"),
    _operation("sleep_zero"),
    _server("stream_read", "read", later=True),
    _server("stream_readline", "readline", later=True),
    _server("sock_echo", "sockets", later=True),
)
BY_NAME = {cell.name: cell for cell in ALL}
