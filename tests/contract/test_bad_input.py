"""Wrong calls fail as asyncio's do: each case runs on a stock loop too; exception types and words are equal.

A case raises what its caller sees; after it the loop must go on.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.wire import Recorder, attach, turn, unix_pair

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Told = tuple[str, str]
NUMBERS = re.compile(r"0x[0-9a-f]+|fd=\d+|descriptor \d+|<_?\w*Transport[^>]*>|<\w*EventLoop[^>]*>|<[\w.]*Server[^>]*>")


def told_by(call: Callable[[], object]) -> Told:
    """Type and words of what a call raises, without what differs from run to run."""
    try:
        call()
    except Exception as error:
        return type(error).__name__, NUMBERS.sub("...", str(error))
    return "nothing", ""


def closed(attempt: Callable[[asyncio.AbstractEventLoop], object]) -> Callable[[Any], object]:
    def case(loop: asyncio.AbstractEventLoop) -> object:
        loop.close()
        return attempt(loop)

    return case


def running(attempt: Callable[[asyncio.AbstractEventLoop], Awaitable[object]]) -> Callable[[Any], object]:
    def case(loop: asyncio.AbstractEventLoop) -> object:
        async def main() -> object:
            return await attempt(loop)

        return loop.run_until_complete(main())

    return case


def with_transport(
    attempt: Callable[[asyncio.Transport], object], protocol: type[asyncio.BaseProtocol] = Recorder
) -> Callable[[Any], object]:
    def case(loop: asyncio.AbstractEventLoop) -> object:
        ours, peer = unix_pair()
        transport = loop.run_until_complete(attach(protocol(), ours))
        try:
            return attempt(transport)
        finally:
            transport.abort()
            turn(loop)
            peer.close()

    return case


def with_closed_socket(
    attempt: Callable[[asyncio.AbstractEventLoop, Any], Awaitable[object]],
) -> Callable[[Any], object]:
    def case(loop: asyncio.AbstractEventLoop) -> object:
        ours, peer = unix_pair()
        ours.close()
        peer.close()

        async def main() -> object:
            return await attempt(loop, ours)

        return loop.run_until_complete(main())

    return case


def raising_factory() -> asyncio.Protocol:
    raise ZeroDivisionError("raising protocol factory")


async def connect_with_raising_factory(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    try:
        await loop.create_connection(raising_factory, sock=ours)
    finally:
        ours.close()
        peer.close()


async def pipe_with_raising_factory(loop: asyncio.AbstractEventLoop) -> None:
    ours, peer = unix_pair()
    try:
        await loop.connect_read_pipe(raising_factory, ours)
    finally:
        ours.close()
        peer.close()


def write_case(data: object, method: str = "write") -> Callable[[Any], object]:
    return with_transport(lambda transport: getattr(transport, method)(data))


CLOSED_LOOP: dict[str, Callable[[Any], object]] = {
    "call_soon": closed(lambda loop: loop.call_soon(print)),
    "call_soon_threadsafe": closed(lambda loop: loop.call_soon_threadsafe(print)),
    "call_later": closed(lambda loop: loop.call_later(1, print)),
    "call_at": closed(lambda loop: loop.call_at(1, print)),
    "run_forever": closed(lambda loop: loop.run_forever()),
    "run_in_executor": closed(lambda loop: loop.run_in_executor(None, print)),
    "add_reader": closed(lambda loop: loop.add_reader(0, print)),
    "add_writer": closed(lambda loop: loop.add_writer(0, print)),
    "add_signal_handler": closed(lambda loop: loop.add_signal_handler(10, print)),
    "stop": closed(lambda loop: loop.stop()),
    "create_future": closed(lambda loop: loop.create_future().cancelled()),
}

DELAYS: dict[str, Callable[[Any], object]] = {
    "call_later None": lambda loop: loop.call_later(None, print),
    "call_later text": lambda loop: loop.call_later("1", print),
    "call_later list": lambda loop: loop.call_later([], print),
    "call_later beyond float": lambda loop: loop.call_later(10**400, print),
    "call_at None": lambda loop: loop.call_at(None, print),
}

TRANSPORT: dict[str, Callable[[Any], object]] = {
    **{f"write {data!r}": write_case(data) for data in ("text", 1, None, [b"x"], (), 1.5)},
    **{f"writelines {data!r}": write_case(data, "writelines") for data in (1, ["text"], [1], [b"x", None])},
    "write without arguments": with_transport(lambda transport: transport.write()),  # type: ignore[call-arg]  # wrong on purpose
    "write after write_eof": with_transport(
        lambda transport: (transport.write_eof(), transport.write(b"x"))  # type: ignore[func-returns-value]  # for its effect
    ),
    "limits low above high": with_transport(lambda transport: transport.set_write_buffer_limits(1, 2)),
    "limits negative": with_transport(lambda transport: transport.set_write_buffer_limits(-1)),
    "unknown extra information": with_transport(lambda transport: transport.get_extra_info("nothing")),
}

SOCKETS: dict[str, Callable[[Any], object]] = {
    "sock_recv": with_closed_socket(lambda loop, sock: loop.sock_recv(sock, 1)),
    "sock_recv_into": with_closed_socket(lambda loop, sock: loop.sock_recv_into(sock, bytearray(1))),
    "sock_sendall": with_closed_socket(lambda loop, sock: loop.sock_sendall(sock, b"x")),
    "sock_accept": with_closed_socket(lambda loop, sock: loop.sock_accept(sock)),
    "sock_connect": with_closed_socket(lambda loop, sock: loop.sock_connect(sock, "/nowhere")),
    "create_connection with a closed socket": with_closed_socket(
        lambda loop, sock: loop.create_connection(Recorder, sock=sock)
    ),
    "create_server with a closed socket": with_closed_socket(
        lambda loop, sock: loop.create_server(Recorder, sock=sock)
    ),
    "add_reader with a closed socket": lambda loop: loop.add_reader(closed_socket(), print),
    "remove_reader with a closed socket": lambda loop: loop.remove_reader(closed_socket()),
    "create_connection with nothing": running(lambda loop: loop.create_connection(Recorder)),
    "create_connection with a host and a socket": with_closed_socket(
        lambda loop, sock: loop.create_connection(Recorder, "localhost", 1, sock=sock)
    ),
    "create_server with nothing": running(lambda loop: loop.create_server(Recorder, None, None)),  # type: ignore[call-overload]  # wrong on purpose
    "create_unix_connection with nothing": running(lambda loop: loop.create_unix_connection(Recorder)),
    "create_unix_server with nothing": running(lambda loop: loop.create_unix_server(Recorder)),
    "server_hostname without ssl": running(
        lambda loop: loop.create_connection(Recorder, "localhost", 1, server_hostname="x")
    ),
    "a factory that raises in create_connection": running(connect_with_raising_factory),
    "a factory that raises in connect_read_pipe": running(pipe_with_raising_factory),
}

LOOP: dict[str, Callable[[Any], object]] = {
    "exception handler that is no callable": lambda loop: loop.set_exception_handler(1),
    "task factory that is no callable": lambda loop: loop.set_task_factory(1),
    "executor that is no executor": lambda loop: loop.set_default_executor(1),
    "run_until_complete of a number": lambda loop: loop.run_until_complete(1),
    "create_task of a number": lambda loop: loop.create_task(1),
    "call_soon without a callback": lambda loop: loop.call_soon(),
    "call_soon with an unknown keyword": lambda loop: loop.call_soon(print, 1, unknown=1),
    "call_later without a callback": lambda loop: loop.call_later(1),
    "call_at without arguments": lambda loop: loop.call_at(),
    "signal that does not exist": lambda loop: loop.add_signal_handler(1000, print),
    "signal that cannot be caught": lambda loop: loop.add_signal_handler(9, print),
    "signal that is no number": lambda loop: loop.add_signal_handler("x", print),
    "coroutine as a signal handler": lambda loop: loop.add_signal_handler(10, asyncio.sleep),
    "remove_signal_handler of a signal that does not exist": lambda loop: loop.remove_signal_handler(1000),
}

# Python itself words these, from a function's qualified name or its types; a native method's differ.
WORDS_ARE_PYTHONS = {
    "write without arguments",
    "call_soon without a callback",
    "call_soon with an unknown keyword",
    "call_later without a callback",
    "call_at without arguments",
    "call_later text",
    "call_later list",
    "call_later beyond float",
}


def closed_socket() -> object:
    ours, peer = unix_pair()
    ours.close()
    peer.close()
    return ours


CASES = {
    f"{group}: {name}": (case, name in WORDS_ARE_PYTHONS)
    for group, cases in (
        ("closed loop", CLOSED_LOOP),
        ("delay", DELAYS),
        ("transport", TRANSPORT),
        ("socket", SOCKETS),
        ("loop", LOOP),
    )
    for name, case in cases.items()
}


@pytest.mark.only_clearloop(reason="the comparison itself runs asyncio's loop")
@pytest.mark.parametrize("name", CASES)
def test_a_wrong_call_fails_as_on_asyncio_and_the_loop_goes_on(loop: asyncio.AbstractEventLoop, name: str) -> None:
    case, any_words = CASES[name]
    oracle = asyncio.SelectorEventLoop()
    expected, got = told_by(lambda: case(oracle)), told_by(lambda: case(loop))
    oracle.close()
    if any_words:
        assert got[0] == expected[0], got
    else:
        assert got == expected
    if not loop.is_closed():
        seen: list[str] = []
        loop.call_soon(seen.append, "goes on")
        turn(loop)
        assert seen == ["goes on"]


NOT_ERRORS = {"closed loop: stop", "closed loop: create_future", "transport: unknown extra information"}
NOT_ERRORS |= {"transport: writelines [b'x', None]"}  # Python 3.14 skips what is empty


@pytest.mark.parametrize("name", sorted(set(CASES) - NOT_ERRORS))
def test_the_oracle_refuses_every_wrong_call(name: str) -> None:
    oracle = asyncio.SelectorEventLoop()
    told = told_by(lambda: CASES[name][0](oracle))
    oracle.close()
    assert told[0] != "nothing"


@pytest.mark.parametrize("delay", [-1, -1e300, -math.inf, 0, True], ids=repr)
def test_a_delay_that_is_over_already_runs_in_the_next_turn(loop: asyncio.AbstractEventLoop, delay: float) -> None:
    seen: list[str] = []
    loop.call_later(min(delay, 0), seen.append, "ran")
    turn(loop)
    assert seen == ["ran"]
