"""The server under test: `python -m bench.compare.server KIND --loop NAME`.

It prints where it listens; SIGTERM ends it. One process, one loop, one kind of server. Everything it needs
is imported before it announces itself.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable

from bench.compare.contenders import make_loop
from bench.compare.servers import http, protocols, streams
from bench.compare.servers.endpoint import Endpoint

KINDS: dict[str, Callable[[Endpoint], Awaitable[None]]] = {
    "protocol": protocols.protocol,
    "buffered": protocols.buffered,
    "datagram": protocols.datagram,
    "read": streams.read,
    "readline": streams.readline,
    "readexactly": streams.readexactly,
    "sockets": streams.sockets,
    "asgi": http.asgi,
    "fastapi": http.fastapi,
    "aiohttp": http.aiohttp,
}


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare.server")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--loop", required=True)
    parser.add_argument("--unix", help="listen on this path instead of a TCP port")
    parser.add_argument("--certificate", help="PEM file with key and certificate: serve TLS")
    parser.add_argument("--size", type=int, default=1024, help="bytes of one message")
    return parser.parse_args(words)


async def _run(arguments: argparse.Namespace) -> None:
    await KINDS[arguments.kind](Endpoint.from_arguments(arguments))


def main() -> None:
    """Serve until a signal ends the process."""
    arguments = parse()
    with asyncio.Runner(loop_factory=lambda: make_loop(arguments.loop)) as runner:
        runner.run(_run(arguments))


if __name__ == "__main__":
    main()
