"""The example service under `uvicorn --loop ...`: JSON, event stream, WebSocket, graceful end.

The service is a child process; the clients (httpx, websockets) run in the test's on the same kind of loop.
"""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import httpx
import pytest
import websockets.asyncio.client as websockets_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.system.conftest import Child, RunProgram

PROMPT = "is 2 > 1 & is it über?"


@pytest.fixture(scope="module")
def port(loop_setting: str, module_children: Callable[..., Child]) -> int:
    """Port of one service that the tests of a loop share."""
    child = module_children("-m", "uvicorn", "examples.service:app", "--port", "0", "--loop", loop_setting)
    return child.wait_port()


async def read_answer(client: httpx.AsyncClient, prompt: str, first_token: asyncio.Event | None = None) -> str:
    """Read one event stream, check its framing, and return the tokens joined."""
    async with client.stream("GET", "/stream", params={"prompt": prompt}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in noticing(response, first_token)]
    assert lines[1::2] == [""] * (len(lines) // 2), "every event ends with an empty line"
    data = [line.removeprefix("data: ") for line in lines[::2]]
    assert data[-1] == "[DONE]"
    tokens = [json.loads(item)["token"] for item in data[:-1]]
    assert len(tokens) > 5
    return "".join(tokens)


async def noticing(response: httpx.Response, first_token: asyncio.Event | None) -> AsyncIterator[str]:
    async for line in response.aiter_lines():
        if first_token is not None:
            first_token.set()
        yield line


def test_json_route_answers_many_concurrent_requests(port: int, run_program: RunProgram) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            responses = await asyncio.gather(*(client.get(f"/items/{number}") for number in range(100)))
            for number, response in enumerate(responses):
                expected = {"item_id": number, "name": f"item {number}", "price_cents": 100 + number}
                assert (response.status_code, response.json()) == (200, expected)
            assert (await client.get("/items/none")).status_code == 422
            assert (await client.get("/nowhere")).status_code == 404

    run_program(main)


def test_event_streams_arrive_whole_and_framed(port: int, run_program: RunProgram) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            prompts = [f"{PROMPT} {number}" for number in range(20)]
            answers = await asyncio.gather(*(read_answer(client, prompt) for prompt in prompts))
        for prompt, answer in zip(prompts, answers, strict=True):
            assert answer.startswith(f"You asked: {prompt}. ")

    run_program(main)


def test_reader_that_leaves_a_stream_does_not_disturb_the_service(port: int, run_program: RunProgram) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(10):
                async with client.stream("GET", "/stream", params={"prompt": PROMPT}) as response:
                    await anext(response.aiter_raw())
            assert (await client.get("/items/1")).status_code == 200

    run_program(main)


def test_websocket_answers_every_message(port: int, run_program: RunProgram) -> None:
    messages = [f"message {number} ü" for number in range(50)] + ["long " * 10_000, ""]

    async def converse() -> None:
        async with websockets_client.connect(f"ws://127.0.0.1:{port}/ws") as websocket:
            for message in messages:
                await websocket.send(message)
                assert await websocket.recv() == f"you said: {message}"

    async def main() -> None:
        await asyncio.gather(*(converse() for _ in range(5)))

    run_program(main)


def test_statistics_are_served_where_the_loop_keeps_them(port: int, loop_name: str, run_program: RunProgram) -> None:
    async def main() -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            return await client.get("/statistics")

    response = run_program(main)
    if loop_name == "asyncio":
        assert response.status_code == 404
        assert "start the service with --loop clearloop" in response.json()["detail"]
        return
    assert response.status_code == 200
    account = response.json()
    assert account["steps"] == account["step"]["count"] > 0
    assert 0 < account["step"]["mean_s"] <= account["step"]["max_s"]
    assert account["busy_s"] > 0
    assert 0 < account["utilization"] <= 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_service_after_the_stream_in_flight(
    number: signal.Signals,
    uvicorn_arguments: list[str],
    children: Callable[..., Child],
    run_program: RunProgram,
) -> None:
    child = children(*uvicorn_arguments)
    port = child.wait_port()

    async def main() -> str:
        first_token = asyncio.Event()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            reading = asyncio.create_task(read_answer(client, PROMPT, first_token))
            await first_token.wait()
            child.process.send_signal(number)
            return await reading

    assert run_program(main).startswith(f"You asked: {PROMPT}. ")
    child.wait_exit()
    output = child.output()
    assert "Finished server process" in output, output
    assert "Traceback" not in output, output


def test_idle_service_ends_at_once_on_sigterm(uvicorn_arguments: list[str], children: Callable[..., Child]) -> None:
    child = children(*uvicorn_arguments)
    child.wait_port()
    child.process.send_signal(signal.SIGTERM)
    assert child.wait_exit(5.0) == -signal.SIGTERM  # uvicorn ends by the signal it was given
    assert "Finished server process" in child.output()


def test_unknown_loop_is_refused(children: Callable[..., Child]) -> None:
    child = children("-m", "uvicorn", "examples.service:app", "--port", "0", "--loop", "no_such_module:loop")
    assert child.wait_exit() != 0
    assert "no_such_module" in child.output()
