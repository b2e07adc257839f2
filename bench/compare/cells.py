"""What is measured: one cell is one kind of work at one size and one number of connections.

`quick` cells make the quick form. `later` cells belong to native streams, sockets, TLS, UDP and primitives:
they run on any loop through the standard library's interface, and are left out unless --only names them or
--later asks.
"""

from dataclasses import dataclass

from bench.compare.micro import OPERATIONS, OWN

KIB = 1024
SIZES = {64: "64B", KIB: "1KiB", 64 * KIB: "64KiB"}


@dataclass(frozen=True)
class Cell:
    """One kind of work; `operation` is set for the operations without I/O, `server` for all others."""

    name: str
    group: str
    title: str
    server: str | None = None
    operation: str | None = None
    connections: int = 0
    size: int = 0
    http_path: str | None = None
    transport: str = "tcp"  # or tls, udp, unix
    c_floor: bool = False  # the plain C server does the same work
    quick: bool = False
    later: bool = False


def _echo(group: str, server: str, title: str, connections: int, size: int, *, quick: bool = False) -> Cell:
    return Cell(
        f"{group}-{connections}x{SIZES[size]}",
        group,
        f"{title}, {connections} x {SIZES[size]}",
        server,
        connections=connections,
        size=size,
        c_floor=True,
        quick=quick,
    )


def _protocol_cells() -> list[Cell]:
    quick = {("protocol", 100, KIB), ("protocol", 100, 64 * KIB), ("buffered", 100, KIB)}
    titles = {"protocol": "protocol echo", "buffered": "buffered-protocol echo"}
    return [
        _echo(kind, kind, title, connections, size, quick=(kind, connections, size) in quick)
        for kind, title in titles.items()
        for connections in (100, 1, 1000)
        for size in (KIB, 64, 64 * KIB)
    ]


MICRO_TITLES = {
    "call_soon": "call_soon chain",
    "call_later_cancel": "call_later + cancel",
    "create_task": "create_task + await",
    "sleep_zero": "sleep(0), one task",
    "sleep_zero_100": "sleep(0), 100 tasks",
    "queue": "Queue(1) ping-pong",
    "event": "Event ping-pong",
    "lock": "Lock, 20 tasks",
    "timers_cancelled": "100k timers, cancelled",
    "timers_fired": "100k timers, fired",
}
MICRO_QUICK = {"call_soon", "call_later_cancel", "create_task", "sleep_zero", "sleep_zero_100", "queue"}


def _micro_cells() -> list[Cell]:
    cells = [Cell(name, "micro", MICRO_TITLES[name], operation=name, quick=name in MICRO_QUICK) for name in OPERATIONS]
    for name in ("queue", "event", "lock"):
        title = f"{MICRO_TITLES[name]}, ours with our own"
        cells.append(Cell(OWN + name, "micro", title, operation=OWN + name, later=True))
    return cells


def _http_cells() -> list[Cell]:
    titles = {"asgi": "uvicorn + httptools hello", "fastapi": "FastAPI JSON", "aiohttp": "aiohttp hello"}
    return [
        Cell(name, "http", title, name, connections=64, http_path="/", quick=name == "asgi")
        for name, title in titles.items()
    ]


def _later(name: str, group: str, title: str, server: str, transport: str = "tcp") -> Cell:
    connections = 50 if transport == "udp" else 100  # more datagrams than that overflow a default receive buffer
    floor = transport in {"tcp", "unix"}
    return Cell(
        name,
        group,
        title,
        server,
        connections=connections,
        size=KIB,
        transport=transport,
        c_floor=floor,
        later=True,
    )


def _later_cells() -> list[Cell]:
    streams = [
        _later(f"stream-{kind}", "streams", f"stream {kind} + drain", kind)
        for kind in ("read", "readline", "readexactly")
    ]
    return [
        *streams,
        _later("sock", "sock", "sock_recv + sock_sendall", "sockets"),
        _later("tls", "tls", "TLS protocol echo", "protocol", "tls"),
        _later("udp", "udp", "UDP echo", "datagram", "udp"),
        _later("unix", "unix", "Unix-socket stream read", "read", "unix"),
    ]


ALL: tuple[Cell, ...] = (*_protocol_cells(), *_micro_cells(), *_http_cells(), *_later_cells())


def choose(only: list[str], *, quick: bool, later: bool = False) -> list[Cell]:
    """Return the cells named by --only (cell, group, or beginning of a cell's name), or the default set."""
    if not only:
        return [cell for cell in ALL if (later or not cell.later) and (cell.quick or not quick)]
    chosen = [cell for cell in ALL if any(_matches(cell, word) for word in only)]
    for word in only:
        if not any(_matches(cell, word) for cell in ALL):
            raise SystemExit(f"No cell or group is called {word!r}. Known: {', '.join(cell.name for cell in ALL)}.")
    return chosen


def _matches(cell: Cell, word: str) -> bool:
    if any(known.name == word for known in ALL):
        return cell.name == word
    return word == cell.group or cell.name.startswith(word)
