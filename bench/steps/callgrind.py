"""Counts one cell's user instructions per request: the server under callgrind, the load generator outside.

Deterministic by fixed request counts, a fixed hash seed, a clock that counts its readings (marker.c), and a
load that goes in rounds: every connection is ready at every turn of the server.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.compare import build, machine
from bench.compare.measure import read_line, running
from bench.steps.cells import CONNECTIONS, SIZE, Cell

PATIENCE_S = 120.0


class CountError(Exception):
    """A cell could not be counted; the message says what the processes printed."""


def marker() -> Path:
    """Return the compiled marker library, or end with the command that installs what is missing."""
    if shutil.which("valgrind") is None:
        raise SystemExit("bench.steps counts with valgrind, which is not installed: apt install valgrind.")
    try:
        return build.compile_c(build.BENCH / "steps" / "marker.c", "-shared", "-fPIC")
    except subprocess.CalledProcessError as failure:
        raise SystemExit(f"marker.c did not build: {failure.stderr.strip()}") from None


def _command(cell: Cell, loop: str, library: Path, output: Path) -> list[str]:
    tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={output}", "-q"]
    workload = [
        sys.executable,
        "-m",
        "bench.steps.workload",
        cell.name,
        "--loop",
        loop,
        "--marker",
        str(library),
    ]
    settings = [f"LD_PRELOAD={library}", "PYTHONHASHSEED=0"]
    return ["env", *settings, *tool, *workload]


def _instructions(output: Path, part: int) -> int:
    """Return the total of one of callgrind's numbered output files."""
    path = output.with_name(f"{output.name}.{part}")
    if not path.exists():
        raise CountError(f"callgrind wrote no {path.name}: the workload ended before its mark")
    totals = [line for line in path.read_text().splitlines() if line.startswith(("totals:", "summary:"))]
    return int(totals[-1].split()[1])


def _expect(process: "subprocess.Popen[str]", what: str) -> str:
    line = read_line(process, PATIENCE_S)
    if not line:
        raise CountError(f"{what} printed nothing")
    return line


def _drive_server(cell: Cell, server: "subprocess.Popen[str]", stack: ExitStack, load_core: int) -> None:
    port = _expect(server, "the server").removeprefix("port ")
    program, _ = build.load_program()
    options = [
        "--port",
        port,
        "--connections",
        str(CONNECTIONS),
        "--size",
        str(SIZE),
        "--step",
        "--freeze",
        str(server.pid),
    ]
    phases = [f"{count}n" for count in (cell.warm, cell.short, cell.long)]
    load = stack.enter_context(running([str(program), *options, *phases], load_core, sys.stderr))
    assert load.stdin is not None
    for _phase in phases:
        _expect(load, "the load generator")
        os.kill(server.pid, signal.SIGUSR1)
        _expect(server, "the server's mark")
        load.stdin.write("\n")  # only now: a load that has ended would have its disconnections counted
        load.stdin.flush()


def count(cell: Cell, loop: str, library: Path) -> float:
    """Return user instructions per request (or operation) of one cell; CountError when it fails."""
    cores = machine.cores()
    with tempfile.TemporaryDirectory(prefix="steps-") as folder, ExitStack() as stack:
        output = Path(folder) / "callgrind.out"
        errors = stack.enter_context(tempfile.TemporaryFile("w+", dir=folder))
        command = _command(cell, loop, library, output)
        try:
            process = stack.enter_context(running(command, cores.server, errors))
            if cell.server:
                _drive_server(cell, process, stack, cores.load)
            else:
                process.wait(PATIENCE_S)
            short, long = (_instructions(output, part) for part in (1, 2))
        except (CountError, subprocess.TimeoutExpired) as failure:
            errors.seek(0)
            raise CountError(f"{cell.name} on {loop}: {failure}: {errors.read().strip()[-2000:]}") from failure
    return (long - short) / (cell.long - cell.short)
