"""One measurement: a server under one contender, loaded, its CPU time read, ended; or the operations.

Every process started here is ended here, whatever happens. A contender that cannot do the work gets a
`ContenderError` with the last sentence it printed; nothing else is swallowed.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from bench.compare import build, contenders
from bench.compare.cells import Cell
from bench.compare.machine import Cores

START_S = 30.0  # how long a server may take to announce itself


class ContenderError(Exception):
    """A contender could not do the work; the message says what it printed."""


@dataclass(frozen=True)
class Bench:
    """What every measurement of one run shares."""

    cores: Cores
    warmup_s: float
    measure_s: float
    scale: float
    folder: Path  # temporary: sockets, certificate, stderr
    load: Path
    certificate: Path | None = None

    def with_certificate(self) -> "Bench":
        """Make a self-signed certificate for the TLS cells with the openssl command."""
        target = self.folder / "certificate.pem"
        key = self.folder / "key.pem"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        subject = ["-subj", "/CN=localhost", "-days", "2"]
        command = [
            "openssl",
            "req",
            "-x509",
            "-nodes",
            *curve,
            *subject,
            "-keyout",
            str(key),
            "-out",
            str(target),
        ]
        subprocess.run(command, check=True, capture_output=True)
        target.write_bytes(key.read_bytes() + target.read_bytes())
        return replace(self, certificate=target)


def _server_command(bench: Bench, cell: Cell, contender: str) -> list[str]:
    unix = ["--unix", str(bench.folder / "echo.sock")] if cell.transport == "unix" else []
    if contender == contenders.C:
        return [str(build.c_server()), *unix]
    certificate = ["--certificate", str(bench.certificate)] if cell.transport == "tls" else []
    base = [sys.executable, "-m", "bench.compare.server", str(cell.server), "--loop", contender]
    return [*base, "--size", str(cell.size), *unix, *certificate]


@contextmanager
def running(command: list[str], core: int, errors: IO[str]) -> Iterator["subprocess.Popen[str]"]:
    """Run one process pinned to one core; it is ended on the way out."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=contenders.child_environment(),
    )
    try:
        os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def read_line(process: "subprocess.Popen[str]", timeout_s: float) -> str:
    """Return the next line a process prints; empty when it ends or the time is over."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], timeout_s)
    return process.stdout.readline().strip() if ready else ""


def _last_line(errors: IO[str]) -> str:
    errors.seek(0)
    lines = [line for line in errors.read().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it printed nothing"


def load_arguments(cell: Cell, address: str) -> list[str]:
    """Return the load generator's options for one cell and the line its server announced itself with."""
    kind, place = address.split(" ", 1)
    where = ["--unix", place] if kind == "path" else ["--port", place]
    mode = {"tls": ["--tls"], "udp": ["--udp"]}.get(cell.transport, [])
    http = ["--http", cell.http_path] if cell.http_path else []
    return [*where, *mode, *http, "--connections", str(cell.connections), "--size", str(cell.size or 1)]


def measure_server(bench: Bench, cell: Cell, contender: str) -> dict[str, Any]:
    """Return requests, wall and CPU time and latencies of one run; ContenderError when it does not work."""
    (bench.folder / "echo.sock").unlink(missing_ok=True)
    with tempfile.TemporaryFile("w+", dir=bench.folder) as errors:
        with running(_server_command(bench, cell, contender), bench.cores.server, errors) as server:
            address = read_line(server, START_S)
            if not address:
                raise ContenderError(f"the server did not start: {_last_line(errors)}")
            phases = [f"{bench.warmup_s}s", f"{bench.measure_s}s"]
            command = [str(bench.load), *load_arguments(cell, address), "--pid", str(server.pid), *phases]
            with running(command, bench.cores.load, errors) as load:
                read_line(load, 60)
                line = read_line(load, 60 + bench.measure_s)
        if not line:
            raise ContenderError(_last_line(errors))
    sample: dict[str, Any] = json.loads(line)
    return sample


def measure_micro(bench: Bench, operations: list[str], contender: str) -> dict[str, dict[str, Any]]:
    """Return CPU time per operation of the named ones, from one child; ContenderError when it ends badly."""
    options = ["--loop", contender, "--scale", str(bench.scale)]
    command = [sys.executable, "-m", "bench.compare.micro", *options, *operations]
    with tempfile.TemporaryFile("w+", dir=bench.folder) as errors:
        with running(command, bench.cores.server, errors) as child:
            line = read_line(child, 120)
        if not line:
            raise ContenderError(_last_line(errors))
    results: dict[str, dict[str, Any]] = json.loads(line)
    return results
