"""The demo's load, run as a child process: many clients on stock asyncio, whichever loop the service runs on.

One client in ten reads event streams, one in ten talks over a WebSocket, the rest ask for JSON; each has one
connection, asks again as soon as it is answered, and checks every answer. Standard output carries one JSON
object per line: progress (`elapsed_s`, `requests`) while it runs, then `result`, a `Measured`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from urllib.parse import urlencode

from examples.answer import DONE_EVENT, answer_tokens, item_fields, token_event, websocket_answer
from examples.demo_cpu import cpu_seconds
from examples.demo_http import OK, Connection, ProtocolError
from examples.demo_tally import Measured, Tally

HOST = "127.0.0.1"
PROGRESS_INTERVAL_S = 0.2
CONNECT_TIMEOUT_S = 15
SHORT_WINDOW_S = 2.0

Behaviour = Callable[[Connection, Tally, int], Awaitable[None]]


async def request_items(connection: Connection, tally: Tally, number: int) -> None:
    """Ask for one JSON item after the other."""
    item_id = number
    while True:
        began = time.perf_counter()
        response = await connection.get(f"/items/{item_id}")
        ended = time.perf_counter()
        tally.json_s.append(ended - began)
        tally.last_answer[number] = ended
        answer = json.loads(response.body) if response.status == OK else tuple(response)
        tally.check(f"/items/{item_id}", answer, item_fields(item_id))
        item_id += 1


async def read_streams(connection: Connection, tally: Tally, number: int) -> None:
    """Read one event stream after the other."""
    while True:
        prompt = f"what does client {number} want?"
        target = "/stream?" + urlencode({"prompt": prompt})
        events: list[str] = []
        began = time.perf_counter()
        async for event in connection.events(target):
            tally.last_answer[number] = arrived = time.perf_counter()
            if not events:
                tally.first_token_s.append(arrived - began)
            if event != DONE_EVENT:
                tally.tokens += 1
            events.append(event)
        tally.streams += 1
        tally.check(target, events, [*map(token_event, answer_tokens(prompt)), DONE_EVENT])


async def exchange_messages(connection: Connection, tally: Tally, number: int) -> None:
    """Ask over a WebSocket, one message after the other."""
    await connection.upgrade("/ws")
    count = 0
    while True:
        message = f"message {count} of client {number}"
        began = time.perf_counter()
        answer = await connection.ask(message)
        ended = time.perf_counter()
        tally.websocket_s.append(ended - began)
        tally.last_answer[number] = ended
        tally.check(message, answer, websocket_answer(message))
        count += 1


def behaviour_of(number: int, clients: int) -> Behaviour:
    """Deal out the behaviours: a tenth reads streams, a tenth uses WebSockets, at least one client each."""
    tenth = max(1, clients // 10)
    if number < tenth:
        return read_streams
    return exchange_messages if number < 2 * tenth else request_items


async def one_client(port: int, tally: Tally, number: int, behaviour: Behaviour) -> None:
    """Connect and behave until cancelled; a broken connection ends this client and is a failure."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await Connection.open(HOST, port)
    except OSError as error:  # TimeoutError included
        tally.fail(f"Client {number} could not connect: {error!r}.")
        return
    try:
        await behaviour(connection, tally, number)
    except (OSError, EOFError, ValueError, ProtocolError) as error:
        tally.fail(f"Client {number} ({behaviour.__name__}) lost its connection: {error!r}.")
    finally:
        connection.close()


def count_stalled(tally: Tally, clients: int, began: float, ended: float) -> None:
    """Make a failure of each client without an answer in the second half of a window (short window: ever)."""
    silent_since = (began + ended) / 2 if ended - began >= SHORT_WINDOW_S else 0.0
    for number in range(clients):
        if tally.last_answer.get(number, 0.0) <= silent_since:
            tally.fail(f"Client {number} ({behaviour_of(number, clients).__name__}) was left without answers.")


async def report_progress(tally: Tally, began: float, seconds: float) -> None:
    """Print progress until the window is over."""
    while (elapsed := time.perf_counter() - began) < seconds:
        print(json.dumps({"elapsed_s": elapsed, "requests": tally.requests}), flush=True)
        await asyncio.sleep(min(PROGRESS_INTERVAL_S, seconds - elapsed))


async def drive(port: int, clients: int, seconds: float, server_pid: int) -> Measured:
    """Start all clients, let them warm up, measure for `seconds`, and stop them."""
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(one_client(port, tally, number, behaviour_of(number, clients)))
            for number in range(clients)
        ]
        await asyncio.sleep(min(0.5, seconds / 4))
        tally.begin_window()
        server_cpu, client_cpu = cpu_seconds(server_pid), time.process_time()
        began = time.perf_counter()
        await report_progress(tally, began, seconds)
        ended = time.perf_counter()
        server_cpu_s, client_cpu_s = cpu_seconds(server_pid) - server_cpu, time.process_time() - client_cpu
        count_stalled(tally, clients, began, ended)
        measured = tally.measured(ended - began, server_cpu_s, client_cpu_s)
        for task in tasks:
            task.cancel()
    return measured


def main() -> None:
    """Load the service on a port of this machine and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo_client")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--server-pid", type=int, required=True)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        measured = runner.run(drive(options.port, options.clients, options.seconds, options.server_pid))
    print(json.dumps({"result": asdict(measured)}), flush=True)


if __name__ == "__main__":
    main()
