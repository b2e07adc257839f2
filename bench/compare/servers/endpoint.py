"""Where a server under test listens, and how it tells the runner; shared by every kind of server."""

import argparse
import socket
import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """A server's choices: TCP on a free port or a Unix path, TLS or not, and the size of one message."""

    unix: str | None = None
    certificate: str | None = None
    size: int = 1024

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> "Endpoint":
        """Take the endpoint out of the command line."""
        return cls(arguments.unix, arguments.certificate, arguments.size)

    def tls(self) -> ssl.SSLContext | None:
        """Return the server side's TLS context, or None for plain bytes."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context

    def listen(self) -> socket.socket:
        """Listen on a free loopback port and announce it; clients wait in the backlog until the loop accepts.

        The protocol number is given: asyncio sets TCP_NODELAY only on sockets that carry it.
        """
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        listener.setblocking(False)
        announce(listener.getsockname()[1])
        return listener


def announce(place: int | str) -> None:
    """Print where to connect, a port or a path; the runner waits for this line."""
    print(f"port {place}" if isinstance(place, int) else f"path {place}", flush=True)
