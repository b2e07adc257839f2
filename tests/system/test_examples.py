"""Every example runs: the service by its own command, the demo at a very small size, and its failures."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.system.conftest import Child, RunProgram

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--seconds", "0.5", "--rounds", "1", "--clients", "8")


def test_service_runs_by_its_own_command(loop_name: str, children: Callable[..., Child]) -> None:
    child = children("-m", "examples.service", "--port", "0", "--loop", loop_name)
    response = httpx.get(f"http://127.0.0.1:{child.wait_port()}/items/7")
    assert response.json() == {"item_id": 7, "name": "item 7", "price_cents": 107}
    child.process.send_signal(signal.SIGTERM)
    assert child.wait_exit() == -signal.SIGTERM


@pytest.mark.parametrize("program", [("-m", "examples.demo"), ("examples/demo.py",)], ids=["module", "file"])
def test_small_demo_compares_the_loops(program: tuple[str, ...], children: Callable[..., Child]) -> None:
    child = children(*program, *SMALL)
    code = child.wait_exit(40)
    output = child.output()
    assert code == 0, output
    assert re.search(r"asyncio +clearloop +clearloop / asyncio", output), output
    for label in ("requests per second", "time to first token", "service: CPU per request"):
        assert re.search(rf"{label}.* [1-9].*\d\.\d\dx\n", output), output
    assert "What clearloop says of its last run" in output
    assert re.search(r"steps [1-9]", output), output
    assert re.search(r"[1-9][\d,]* answers checked, none wrong\.", output), output
    assert not child.group_alive()


def test_demo_runs_on_asyncio_alone(children: Callable[..., Child]) -> None:
    child = children("-m", "examples.demo", *SMALL, "--loops", "asyncio")
    assert child.wait_exit(30) == 0, child.output()
    assert "none wrong" in child.output()
    assert not child.group_alive()


def test_demo_shows_why_the_service_did_not_come_up(children: Callable[..., Child]) -> None:
    child = children("-m", "examples.demo", *SMALL, "--loops", "no_such_module:loop")
    assert child.wait_exit(30) == 1
    assert re.search(
        r"demo: The service on no_such_module:loop ended with code \d+ before it listened\.\nIts output:\n"
        r"(.*\n)*  \| .*Could not import module \"no_such_module\"",
        child.output(),
    ), child.output()
    assert "Traceback" not in child.output()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_demo_leaves_no_process(number: signal.Signals, code: int, children: Callable[..., Child]) -> None:
    child = children(
        "-m", "examples.demo", "--seconds", "0.2", "--rounds", "50", "--clients", "8", "--loops", "asyncio"
    )
    child.wait_output(re.compile(r"round 1/50 .* requests/s"))
    child.signal_group(number)
    assert child.wait_exit() == code, child.output()
    assert "Traceback" not in child.output(), child.output()
    assert not child.group_alive()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--clients", "2"), "3 clients or more"),
        (("--seconds", "0"), "more than 0 seconds"),
        (("--loops", "asyncio", "asyncio"), "name each loop once"),
    ],
)
def test_demo_refuses_what_makes_no_sense(
    arguments: tuple[str, ...], sentence: str, children: Callable[..., Child]
) -> None:
    child = children("-m", "examples.demo", *arguments)
    assert child.wait_exit() == 2
    assert sentence in child.output()


class BrokenService:
    """Answers every item with the same body, and hangs up on everything else."""

    def __init__(self) -> None:
        self.connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        try:
            while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /items/"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass  # the client has gone, as it should at its end
        finally:
            writer.close()


def test_demo_client_counts_wrong_answers_and_lost_connections(run_program: RunProgram) -> None:
    async def main() -> dict[str, Any]:
        service = BrokenService()
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        arguments = [
            "--port",
            str(port),
            "--clients",
            "3",
            "--seconds",
            "0.3",
            "--server-pid",
            str(os.getpid()),
        ]
        async with server:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "examples.demo_client",
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )
            output, _ = await process.communicate()
            await asyncio.wait(service.connections)
        assert process.returncode == 0
        measured: dict[str, Any] = json.loads(output.splitlines()[-1])["result"]
        return measured

    measured = run_program(main)
    complaints = "\n".join(measured["complaints"])
    assert measured["failures"] >= measured["json_requests"] + 2 > 2
    assert "/items/2 was answered {} instead of {'item_id': 2," in complaints
    assert "(read_streams) lost its connection" in complaints
    assert "(exchange_messages) lost its connection" in complaints
