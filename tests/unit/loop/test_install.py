"""install() makes clearloop's loop everybody's default; uninstall() gives asyncio its own back."""

from __future__ import annotations

import asyncio
from asyncio import unix_events
from typing import TYPE_CHECKING

import pytest

import clearloop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOCK = asyncio.SelectorEventLoop


async def kind_of_loop() -> type[asyncio.AbstractEventLoop]:
    return type(asyncio.get_running_loop())


def new_of(factory: Callable[[], asyncio.AbstractEventLoop]) -> type[asyncio.AbstractEventLoop]:
    loop = factory()
    loop.close()
    return type(loop)


def default_kinds() -> list[type[asyncio.AbstractEventLoop]]:
    """Return the loops that each way to a default loop makes now."""
    with asyncio.Runner() as runner:
        by_runner = runner.run(kind_of_loop())
    return [
        asyncio.run(kind_of_loop()),
        by_runner,
        new_of(asyncio.new_event_loop),
        new_of(asyncio.SelectorEventLoop),
        new_of(getattr(asyncio, "EventLoop", asyncio.SelectorEventLoop)),  # asyncio.EventLoop is new in 3.13
        new_of(unix_events.SelectorEventLoop),
    ]


@pytest.fixture
def installed() -> Iterator[None]:
    clearloop.install()
    yield
    clearloop.uninstall()


def only(kind: type[asyncio.AbstractEventLoop]) -> list[type[asyncio.AbstractEventLoop]]:
    return [kind] * 6


def test_every_default_loop_is_clearloops_and_then_asyncios_again() -> None:
    assert default_kinds() == only(STOCK)
    clearloop.install()
    try:
        assert default_kinds() == only(clearloop.EventLoop)
    finally:
        clearloop.uninstall()
    assert default_kinds() == only(STOCK)


def test_twice_is_once(installed: None) -> None:  # noqa: ARG001  asked for what it does
    clearloop.install()
    assert default_kinds() == only(clearloop.EventLoop)
    clearloop.uninstall()
    assert default_kinds() == only(STOCK)
    clearloop.uninstall()
    assert default_kinds() == only(STOCK)


def test_who_names_a_loop_keeps_it(installed: None) -> None:  # noqa: ARG001  asked for what it does
    with asyncio.Runner(loop_factory=STOCK) as runner:
        assert runner.run(kind_of_loop()) is STOCK


def test_loops_stay_what_they_are() -> None:
    stock = asyncio.new_event_loop()
    clearloop.install()
    ours = asyncio.new_event_loop()
    clearloop.uninstall()
    for loop, kind in ((stock, STOCK), (ours, clearloop.EventLoop)):
        assert loop.run_until_complete(kind_of_loop()) is kind
        loop.close()


@pytest.mark.parametrize("debug", [False, True])
def test_our_loop_works_under_the_stock_loops_name(installed: None, debug: bool) -> None:  # noqa: ARG001  asked for what it does
    async def main() -> str:
        return await asyncio.create_task(asyncio.sleep(0, "done"))

    assert asyncio.run(main(), debug=debug) == "done"
    assert clearloop.run(main(), debug=debug) == "done"
