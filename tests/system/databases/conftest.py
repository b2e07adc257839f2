"""A real PostgreSQL and a real Redis: each on a free port and a Unix socket, in a temporary folder.

1. Servers run as an ordinary user: as `postgres` or `nobody` when the tests run as root.
2. A server that is not installed skips its tests with the reason; CLEARLOOP_REQUIRE_SERVERS=1 makes that
   a failure.
3. Each server is one foreground child of the test run, ended and waited for in teardown, its folder removed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class DatabaseServer:
    """Where a running server is reached; both ways lead to the same data."""

    host: str
    port: int
    socket_path: Path


def missing(sentence: str) -> NoReturn:
    """Skip, or fail where the servers are required."""
    if os.environ.get("CLEARLOOP_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{sentence} CLEARLOOP_REQUIRE_SERVERS=1 forbids to skip.", pytrace=False)
    pytest.skip(sentence)


def ordinary_user(*names: str) -> dict[str, Any]:
    """Arguments of subprocess that drop root for the first of these users that exists; none when not root."""
    if os.geteuid() != 0:
        return {}
    for name in names:
        with contextlib.suppress(KeyError):  # no such user: try the next name
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    missing(f"This server refuses to run as root and none of the users {', '.join(names)} exists.")


@contextlib.contextmanager
def folder_of(user: dict[str, Any]) -> Iterator[Path]:
    """Make a temporary folder that the user owns (pytest's own are closed to other users)."""
    with tempfile.TemporaryDirectory(prefix="clearloop-test-") as name:
        if user:
            os.chown(name, user["user"], user["group"])
        yield Path(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, user: dict[str, Any], is_ready: Callable[[], bool], stop: signal.Signals
) -> Iterator[None]:
    """Run a server in the foreground, wait until it answers, and end it afterwards."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **user
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            assert process.poll() is None, f"{command[0]} ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"{command[0]} did not answer in time:\n{log.read_text()}"
            time.sleep(0.02)
        yield
        process.send_signal(stop)
        process.wait(STOP_TIMEOUT_S)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[DatabaseServer]:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, reversed(folders)), os.environ["PATH"]]))
    if found is None:
        missing("PostgreSQL is not installed: no initdb (Debian: apt-get install postgresql).")
    programs = Path(found).parent
    user = ordinary_user("postgres", "nobody")
    with folder_of(user) as folder:
        data = folder / "data"
        made = subprocess.run(
            [found, "-D", data, "-U", "clearloop", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            **user,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        port = free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        settings |= {"fsync": "off", "shared_buffers": "16MB", "max_connections": 40}
        command = [str(programs / "postgres"), "-D", str(data)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        asking = [str(programs / "pg_isready"), "-q", "-h", str(folder), "-p", str(port)]

        def is_ready() -> bool:
            return subprocess.run(asking, check=False, timeout=10).returncode == 0

        with running(command, folder, user, is_ready, signal.SIGINT):  # SIGINT: its "fast" shutdown
            yield DatabaseServer("127.0.0.1", port, folder / f".s.PGSQL.{port}")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[DatabaseServer]:
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis is not installed: no redis-server (Debian: apt-get install redis-server).")
    user = ordinary_user("redis", "nobody")
    with folder_of(user) as folder:
        port, socket_path = free_port(), folder / "redis.sock"
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--unixsocket", str(socket_path)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]

        def is_ready() -> bool:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                if probe.connect_ex(str(socket_path)) != 0:
                    return False
                probe.sendall(b"PING\r\n")
                return probe.recv(64) == b"+PONG\r\n"

        with running(command, folder, user, is_ready, signal.SIGTERM):
            yield DatabaseServer("127.0.0.1", port, socket_path)
