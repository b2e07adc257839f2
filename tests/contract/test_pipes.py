"""Read and write pipes as transports."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest

from tests.contract.wire import Recorder, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run


def pipe() -> tuple[BinaryIO, BinaryIO]:
    reading, writing = os.pipe()
    return cast("BinaryIO", os.fdopen(reading, "rb", 0)), cast("BinaryIO", os.fdopen(writing, "wb", 0))


async def reading_end(file: BinaryIO) -> Recorder:
    protocol = Recorder()
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, file)
    return protocol


async def writing_end(file: BinaryIO) -> Recorder:
    protocol = Recorder()
    await asyncio.get_running_loop().connect_write_pipe(lambda: protocol, file)
    return protocol


def test_what_one_end_writes_the_other_reads_up_to_the_end(run: Run) -> None:
    async def main() -> None:
        out_end, in_end = pipe()
        reader, writer = await reading_end(out_end), await writing_end(in_end)
        sent = bytes(range(256)) * 4000
        writer.transport.write(sent[:10])
        writer.transport.writelines([sent[10:100], sent[100:]])
        writer.transport.write_eof()
        await until(lambda: reader.lost and writer.lost)
        assert reader.data == sent
        assert reader.calls[-2:] == ["eof_received", "connection_lost"]
        assert reader.lost == writer.lost == [None]
        assert out_end.closed
        assert in_end.closed

    run(main)


def test_a_paused_read_pipe_holds_its_data(run: Run) -> None:
    async def main() -> None:
        out_end, in_end = pipe()
        reader = await reading_end(out_end)
        reader.transport.pause_reading()
        in_end.write(b"held")
        for _ in range(10):
            await asyncio.sleep(0)
        assert reader.data == b""
        reader.transport.resume_reading()
        await until(lambda: reader.data == b"held")
        reader.transport.close()
        await until(lambda: reader.lost)
        in_end.close()

    run(main)


@pytest.mark.parametrize("pending", [0, 1_000_000], ids=["nothing pending", "bytes pending"])
def test_a_writer_learns_that_its_reader_is_gone(run: Run, pending: int) -> None:
    async def main() -> None:
        out_end, in_end = pipe()
        writer = await writing_end(in_end)
        writer.transport.write(b"x" * pending)
        out_end.close()
        await until(lambda: writer.lost)
        assert [type(exc) for exc in writer.lost] == [BrokenPipeError if pending else type(None)]
        writer.transport.write(b"dropped")

    run(main)


def test_a_full_pipe_pauses_its_writer_and_abort_drops_the_rest(run: Run) -> None:
    async def main() -> None:
        out_end, in_end = pipe()
        writer = await writing_end(in_end)
        writer.transport.write(b"x" * 1_000_000)
        assert writer.calls == ["connection_made", "pause_writing"]
        assert writer.transport.get_write_buffer_size() > 0
        writer.transport.abort()
        await until(lambda: writer.lost)
        assert writer.lost == [None]
        out_end.close()

    run(main)


def test_close_of_a_write_pipe_sends_what_is_pending(run: Run) -> None:
    async def main() -> None:
        out_end, in_end = pipe()
        reader, writer = await reading_end(out_end), await writing_end(in_end)
        writer.transport.write(b"x" * 1_000_000)
        writer.transport.close()
        await until(lambda: reader.lost and writer.lost)
        assert len(reader.data) == 1_000_000

    run(main)


@pytest.mark.parametrize("method", ["connect_read_pipe", "connect_write_pipe"])
def test_a_regular_file_is_refused_and_its_descriptor_left_alone(run: Run, tmp_path: Path, method: str) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        with (tmp_path / "regular").open("w+b") as file:
            with pytest.raises(ValueError, match=r"^Pipe transport is "):
                await getattr(loop, method)(Recorder, file)
            file.write(b"still open")

    run(main)
