"""Uses off the beaten path: subclasses of the loop, types called by hand, turns made by hand, impossible fds."""

from __future__ import annotations

import errno
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import PATIENCE, Recorder, attach, turn, unix_pair

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tests.conftest import Child

GROWTH_BOUND = 8 << 20  # bytes; a table that covered the number would be gigabytes
FIRST_HUGE_FD = 1 << 26


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def closed_number() -> int:
    number = os.dup(0)
    os.close(number)
    return number


@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_a_closed_number_is_a_bad_file_descriptor(loop: asyncio.AbstractEventLoop, method: str) -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        getattr(loop, method)(closed_number(), print)
    assert caught.value.errno == errno.EBADF
    turn(loop)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("number", [FIRST_HUGE_FD, (1 << 31) - 1])
@pytest.mark.parametrize("method", ["add_reader", "add_writer"])
def test_a_number_beyond_all_files_is_refused_and_costs_no_memory(
    loop: asyncio.AbstractEventLoop, method: str, number: int
) -> None:
    before = resident_bytes()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        getattr(loop, method)(number, print)
    assert caught.value.errno == errno.EBADF
    assert resident_bytes() - before < GROWTH_BOUND
    assert loop.remove_reader(number) is False
    turn(loop)


def test_a_subclass_may_build_its_clock_on_its_bases(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None
) -> None:
    del nothing_left
    plain = loop_factory()
    base: Any = type(plain)

    class Ahead(base):  # type: ignore[misc]  # the base is the flavour's
        def time(self) -> float:
            return float(super().time()) + 1

    ahead = Ahead()
    before = plain.time()
    assert ahead.time() >= before + 1
    order: list[str] = []
    deadlines = [ahead.call_later(0.002, order.append, "second"), ahead.call_later(0.001, order.append, "first")]
    ahead.call_later(0.003, ahead.stop)
    ahead.run_forever()
    assert order == ["first", "second"]
    assert ahead.time() >= max(handle.when() for handle in deadlines)
    ahead.close()
    plain.close()


@pytest.mark.only_clearloop(reason="asyncio's loop lacks its attributes then and raises AttributeError")
@pytest.mark.parametrize("method", ["call_soon", "call_later", "create_task", "run_forever"])
def test_a_loop_used_before_its_base_is_initialised_says_so(
    loop_factory: Callable[[], asyncio.SelectorEventLoop], nothing_left: None, method: str
) -> None:
    del nothing_left
    plain = loop_factory()
    plain.close()
    base: Any = type(plain)
    refused: list[str] = []

    async def nothing() -> None:
        pass

    class Hasty(base):  # type: ignore[misc]  # the base is the flavour's
        def __init__(self) -> None:
            coroutine = nothing()
            arguments = {"call_soon": (print,), "call_later": (0, print), "create_task": (coroutine,)}
            try:
                getattr(self, method)(*arguments.get(method, ()))
            except RuntimeError as error:
                refused.append(str(error))
            coroutine.close()
            super().__init__()

    hasty = Hasty()
    assert len(refused) == 1
    assert "super().__init__()" in refused[0]
    turn(hasty)
    hasty.close()


@pytest.mark.parametrize(("module", "name"), [("transport", "StreamTransport"), ("acceptor", "Acceptor")])
def test_a_native_type_without_its_arguments_is_a_type_error(module: str, name: str) -> None:
    native = getattr(importlib.import_module(f"clearloop._engine.{module}"), name)
    for make in (native, lambda: native.__new__(native)):
        with pytest.raises(TypeError):
            make()


def test_what_is_written_after_a_turn_made_by_hand_is_sent_at_once(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    protocol = Recorder()
    transport = loop.run_until_complete(attach(protocol, ours))
    by_hand: Any = loop
    loop.call_soon(transport.write, b"inside; ")
    by_hand._run_once()
    assert peer.recv(100) == b"inside; "
    transport.write(b"after")
    assert peer.recv(100) == b"after"
    transport.close()
    turn(loop)
    assert protocol.lost == [None]
    peer.close()


MANY_READY = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
loop = new_loop()
if sys.argv[1] != "default":
    kind = type(loop)
    loop.close()
    loop = kind(selector=getattr(selectors, sys.argv[1])())
pairs = [socket.socketpair() for _ in range(1200)]
calls = [0] * len(pairs)
def called(index):
    calls[index] += 1  # and the byte stays unread, so that every descriptor is ready in every turn
for index, (left, right) in enumerate(pairs):
    right.send(b"x")
    loop.add_reader(left, called, index)
for _ in range(20):
    loop.call_soon(loop.stop)
    loop.run_forever()
say("starved:", calls.count(0))
for left, right in pairs:
    loop.remove_reader(left)
    left.close()
    right.close()
loop.close()
"""


@pytest.mark.parametrize("selector", ["default", "PollSelector"])
def test_more_ready_descriptors_than_one_poll_reports_starve_none(child: Child, selector: str) -> None:
    resource = pytest.importorskip("resource", reason="the limit of descriptors is set by it")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 4096:
        pytest.skip("the hard limit of descriptors is below 4096")
    output, errors = child(MANY_READY, selector).communicate(timeout=PATIENCE * 2)
    assert (output, errors) == ("starved: 0\n", "")
