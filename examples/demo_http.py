"""The demo's own HTTP/1.1 and WebSocket client: plain asyncio streams, only what the demo sends.

It lives apart from any client library so that the client costs little beside the service it loads. It speaks
to examples/service.py alone: keep-alive GET, chunked server-sent events, unfragmented text frames.
"""

import asyncio
import base64
import hashlib
import os
import struct
from collections.abc import AsyncIterator
from typing import NamedTuple, Self

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
TEXT_FRAME, CLOSE_FRAME, PING_FRAME, PONG_FRAME = 0x1, 0x8, 0x9, 0xA
FINAL_BIT = MASK_BIT = 0x80
LENGTH_IN_TWO_BYTES = 126
SWITCHING_PROTOCOLS = 101
OK = 200


class ProtocolError(Exception):
    """The service sent what this client cannot read: the connection is of no more use."""


class Response(NamedTuple):
    """Status and whole body of one answer."""

    status: int
    body: bytes


class Connection:
    """One keep-alive connection; one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect to the service."""
        reader, writer = await asyncio.open_connection(host, port)
        return cls(reader, writer, f"{host}:{port}")

    def close(self) -> None:
        """Drop the connection at once; nothing is pending between two requests."""
        self._writer.transport.abort()

    async def get(self, target: str) -> Response:
        """Send a GET and read its answer, whose length the service must state."""
        self._send_head(target)
        status, fields = await self._read_head()
        if "content-length" not in fields:
            raise ProtocolError(f"GET {target}: the answer has no Content-Length: {fields}")
        return Response(status, await self._reader.readexactly(int(fields["content-length"])))

    async def events(self, target: str) -> AsyncIterator[str]:
        """Send a GET and yield the data of each server-sent event as it arrives."""
        self._send_head(target, "accept: text/event-stream\r\n")
        status, fields = await self._read_head()
        kind = fields.get("content-type", "")
        if status != OK or not kind.startswith("text/event-stream"):
            raise ProtocolError(f"GET {target}: status {status}, type {kind!r} instead of an event stream")
        pending = b""
        while chunk := await self._read_chunk():
            *whole, pending = (pending + chunk).split(b"\n\n")
            for event in whole:
                name, _, data = event.partition(b": ")
                if name != b"data":
                    raise ProtocolError(f"GET {target}: {event!r} is not a data event")
                yield data.decode()
        if pending:
            raise ProtocolError(f"GET {target}: the stream ended inside an event: {pending!r}")

    async def upgrade(self, target: str) -> None:
        """Turn the connection into a WebSocket."""
        key = base64.b64encode(os.urandom(16))
        self._send_head(
            target,
            "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            f"sec-websocket-key: {key.decode()}\r\n",
        )
        status, fields = await self._read_head()
        digest = hashlib.sha1(key + WEBSOCKET_GUID, usedforsecurity=False).digest()
        if status != SWITCHING_PROTOCOLS or fields.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise ProtocolError(f"GET {target}: no WebSocket: status {status}, {fields}")

    async def ask(self, message: str) -> str:
        """Send one text frame and return the text of the next one."""
        self._send_frame(TEXT_FRAME, message.encode())
        while True:
            kind, payload = await self._read_frame()
            if kind == TEXT_FRAME:
                return payload.decode()
            if kind == PING_FRAME:
                self._send_frame(PONG_FRAME, payload)
            elif kind == CLOSE_FRAME:
                raise ProtocolError(f"the service closed the WebSocket: {payload!r}")

    def _send_head(self, target: str, extra: str = "") -> None:
        self._writer.write(f"GET {target} HTTP/1.1\r\nhost: {self._host}\r\n{extra}\r\n".encode())

    async def _read_head(self) -> tuple[int, dict[str, str]]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = head[:-4].split("\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return int(status.split(" ", 2)[1]), fields

    async def _read_chunk(self) -> bytes:
        size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    def _send_frame(self, kind: int, payload: bytes) -> None:
        if len(payload) < LENGTH_IN_TWO_BYTES:
            head = bytes((FINAL_BIT | kind, MASK_BIT | len(payload)))
        else:
            head = struct.pack("!BBH", FINAL_BIT | kind, MASK_BIT | LENGTH_IN_TWO_BYTES, len(payload))
        mask = os.urandom(4)
        stretched = (mask * (len(payload) // 4 + 1))[: len(payload)]
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
        self._writer.write(head + mask + masked.to_bytes(len(payload), "big"))

    async def _read_frame(self) -> tuple[int, bytes]:
        first, length = await self._reader.readexactly(2)
        if not first & FINAL_BIT or length > LENGTH_IN_TWO_BYTES:
            raise ProtocolError(f"a frame that starts with {first:#x} {length:#x}: fragmented, masked or too long")
        if length == LENGTH_IN_TWO_BYTES:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        return first & 0x0F, await self._reader.readexactly(length)
