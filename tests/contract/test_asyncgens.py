"""Asynchronous generators: hooks per run, closing of forgotten ones, shutdown (trap 26)."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.contract.wire import PATIENCE, turn, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Run


async def numbers(closed: list[object]) -> AsyncIterator[int]:
    try:
        for number in range(1000):
            yield number
    finally:
        await asyncio.sleep(0)
        closed.append(threading.get_ident())


def test_the_hooks_are_installed_for_a_run_and_the_former_ones_put_back(
    loop: asyncio.AbstractEventLoop,
) -> None:
    former = (lambda _gen: None, lambda _gen: None)
    inside: list[object] = []
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(*former)
    try:
        loop.call_soon(lambda: inside.append(sys.get_asyncgen_hooks()))
        turn(loop, 1)
        assert tuple(sys.get_asyncgen_hooks()) == former
    finally:
        sys.set_asyncgen_hooks(*before)
    assert inside
    assert inside[0] != former


def test_a_forgotten_generator_is_closed_by_the_loop(run: Run) -> None:
    async def main() -> None:
        closed: list[object] = []
        generator = numbers(closed)
        assert await anext(generator) == 0
        del generator
        gc.collect()
        await until(lambda: closed)

    run(main)


def test_a_generator_forgotten_in_another_thread_is_closed_in_the_loops_thread(run: Run) -> None:
    async def main() -> None:
        closed: list[object] = []
        kept = [numbers(closed)]
        await anext(kept[0])
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join(PATIENCE)
        await until(lambda: closed)
        assert closed == [threading.get_ident()]

    run(main)


def test_shutdown_closes_every_generator_that_is_still_open(loop: asyncio.AbstractEventLoop) -> None:
    closed: list[object] = []

    async def begin() -> list[AsyncIterator[int]]:
        generators = [numbers(closed) for _ in range(3)]
        for generator in generators:
            await anext(generator)
        return generators

    generators = loop.run_until_complete(begin())
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert len(closed) == len(generators) == 3


def test_a_generator_begun_after_the_shutdown_warns(loop: asyncio.AbstractEventLoop) -> None:
    closed: list[object] = []

    async def begin_late() -> None:
        generator = numbers(closed)
        with pytest.warns(ResourceWarning, match="was scheduled after loop.shutdown_asyncgens"):
            await anext(generator)
        await generator.aclose()  # type: ignore[attr-defined]  # an AsyncIterator that is a generator

    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(begin_late())
    assert len(closed) == 1


def test_an_error_of_a_generator_in_the_shutdown_is_reported(
    loop: asyncio.AbstractEventLoop, loop_errors: list[dict[str, object]]
) -> None:
    async def failing() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise ZeroDivisionError

    generator = failing()

    async def begin() -> int:
        return await anext(generator)

    assert loop.run_until_complete(begin()) == 1
    loop.run_until_complete(loop.shutdown_asyncgens())
    context = loop_errors.pop()
    assert isinstance(context["exception"], ZeroDivisionError)
    assert context["asyncgen"] is generator
