"""Operations without any I/O, in CPU nanoseconds: `python -m bench.compare.micro --loop NAME OP...`.

Answers "what does one call_soon, timer, task or hand-over cost on this loop". Each operation gets a fresh
loop, one warm-up and `--repeats` measured runs; all are printed as JSON, the reader takes the smallest.
Everything a run leaves behind is collected before the next one starts.
"""

import argparse
import asyncio
import gc
import importlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.compare.contenders import OURS, make_loop

Operation = Callable[[asyncio.AbstractEventLoop, int, Any], Awaitable[None]]


def _nothing() -> None:
    pass


async def call_soon(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Chain callbacks, each scheduling the next: one per turn."""
    done = loop.create_future()
    left = count

    def step() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(step)
        else:
            done.set_result(None)

    loop.call_soon(step)
    await done


async def call_later_cancel(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Set timeouts that are always cancelled: the usual life of one."""
    for _index in range(count):
        loop.call_later(10, _nothing).cancel()
    await asyncio.sleep(0)


async def timers_cancelled(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Hold many timers at once, then cancel all."""
    handles = [loop.call_later(10 + index * 1e-5, _nothing) for index in range(count)]
    for handle in handles:
        handle.cancel()
    await asyncio.sleep(0)


async def timers_fired(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Hold many timers at once, all due soon."""
    done = loop.create_future()
    for index in range(count):
        loop.call_later(index * 1e-7, _nothing)
    loop.call_later(count * 1e-7, done.set_result, None)
    await done


async def create_task(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Make a task and await it."""

    async def nothing() -> None:
        pass

    for _index in range(count):
        await loop.create_task(nothing())


async def sleep_zero(_loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Let one task yield."""
    for _index in range(count):
        await asyncio.sleep(0)


async def sleep_zero_100(loop: asyncio.AbstractEventLoop, count: int, _: Any) -> None:
    """Let a hundred tasks yield in turn."""
    tasks = [loop.create_task(_sleeper(count // 100)) for _index in range(100)]
    await asyncio.gather(*tasks)


async def _sleeper(count: int) -> None:
    for _index in range(count):
        await asyncio.sleep(0)


async def queue(loop: asyncio.AbstractEventLoop, count: int, primitives: Any) -> None:
    """Pass items between two tasks through two queues of one place: a round trip per operation."""
    there, back = primitives.Queue(1), primitives.Queue(1)

    async def echo() -> None:
        for _index in range(count):
            await back.put(await there.get())

    task = loop.create_task(echo())
    for index in range(count):
        await there.put(index)
        await back.get()
    await task


async def event(loop: asyncio.AbstractEventLoop, count: int, primitives: Any) -> None:
    """Wake two tasks in turn with two events: a round trip per operation."""
    ping, pong = primitives.Event(), primitives.Event()

    async def echo() -> None:
        for _index in range(count):
            await ping.wait()
            ping.clear()
            pong.set()

    task = loop.create_task(echo())
    for _index in range(count):
        ping.set()
        await pong.wait()
        pong.clear()
    await task


async def lock(loop: asyncio.AbstractEventLoop, count: int, primitives: Any) -> None:
    """Let twenty tasks want one lock and yield while they hold it."""
    shared = primitives.Lock()

    async def contend() -> None:
        for _index in range(count // 20):
            async with shared:
                await asyncio.sleep(0)

    await asyncio.gather(*[loop.create_task(contend()) for _index in range(20)])


OPERATIONS: dict[str, tuple[Operation, int]] = {
    "call_soon": (call_soon, 100_000),
    "call_later_cancel": (call_later_cancel, 100_000),
    "create_task": (create_task, 30_000),
    "sleep_zero": (sleep_zero, 50_000),
    "sleep_zero_100": (sleep_zero_100, 100_000),
    "queue": (queue, 20_000),
    "event": (event, 20_000),
    "lock": (lock, 20_000),
    "timers_cancelled": (timers_cancelled, 100_000),
    "timers_fired": (timers_fired, 100_000),
}
OWN = "own_"  # own_queue is queue with the contender's own Queue, where it has one


def find(name: str, contender: str) -> tuple[Operation, int, Any]:
    """Return an operation, its count and the module of its primitives; LookupError when that has none."""
    operation, count = OPERATIONS[name.removeprefix(OWN)]
    if not (name.startswith(OWN) and contender == OURS):
        return operation, count, asyncio
    primitives = importlib.import_module(OURS)
    if not hasattr(primitives, name.removeprefix(OWN).capitalize()):
        raise LookupError(f"{OURS} has no {name.removeprefix(OWN).capitalize()} of its own yet")
    return operation, count, primitives


def measure(contender: str, name: str, scale: float, repeats: int) -> dict[str, Any]:
    """Run one operation on a fresh loop and return CPU nanoseconds per operation of each repeat."""
    try:
        operation, full_count, primitives = find(name, contender)
    except LookupError as missing:
        return {"absent": str(missing.args[0])}
    count = max(1000, int(full_count * scale))
    results: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await operation(loop, count // 10, primitives)
        for _index in range(repeats):
            gc.collect()
            before = time.process_time_ns()
            await operation(loop, count, primitives)
            results.append((time.process_time_ns() - before) / count)

    with asyncio.Runner(loop_factory=lambda: make_loop(contender)) as runner:
        runner.run(run())
    return {"count": count, "ns": results}


def main() -> None:
    """Measure the named operations and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare.micro")
    parser.add_argument("operation", nargs="+")
    parser.add_argument("--loop", required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full counts")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    results = {name: measure(arguments.loop, name, arguments.scale, arguments.repeats) for name in arguments.operation}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
