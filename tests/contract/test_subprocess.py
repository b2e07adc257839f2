"""Child processes through the loop: pipes, exit codes, signals, many at once."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Run


def python(source: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", source


def test_communicate_feeds_stdin_and_collects_both_outputs(run: Run) -> None:
    async def main() -> None:
        source = "import sys; text = sys.stdin.read(); sys.stdout.write(text.upper()); sys.exit(str(len(text)))"
        process = await asyncio.create_subprocess_exec(*python(source), stdin=PIPE, stdout=PIPE, stderr=PIPE)
        text = b"some text " * 50_000
        assert await process.communicate(text) == (text.upper(), b"500000\n")
        assert process.returncode == 1

    run(main)


def test_a_conversation_over_pipes_goes_line_by_line(run: Run) -> None:
    async def main() -> None:
        source = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
        process = await asyncio.create_subprocess_exec(*python(source), stdin=PIPE, stdout=PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        for word in (b"one", b"two", b"three"):
            process.stdin.write(word + b"\n")
            await process.stdin.drain()
            assert await process.stdout.readline() == word[::-1] + b"\n"
        process.stdin.close()
        assert await process.stdout.read() == b""
        assert await process.wait() == 0

    run(main)


@pytest.mark.parametrize("code", [0, 1, 77])
def test_wait_returns_the_exit_code(run: Run, code: int) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(*python(f"raise SystemExit({code})"))
        assert await process.wait() == code
        assert process.returncode == code

    run(main)


@pytest.mark.parametrize(
    ("method", "number"), [("terminate", signal.SIGTERM), ("kill", signal.SIGKILL)], ids=["terminate", "kill"]
)
def test_a_signalled_child_ends_with_the_negative_number(run: Run, method: str, number: int) -> None:
    async def main() -> None:
        source = "print('up', flush=True); import time; time.sleep(60)"
        process = await asyncio.create_subprocess_exec(*python(source), stdout=PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"up\n"
        getattr(process, method)()
        assert await process.wait() == -number

    run(main)


def test_a_cancelled_wait_leaves_the_child_and_a_second_wait_works(run: Run) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(*python("input()"), stdin=PIPE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.001)
        assert process.returncode is None
        assert process.stdin is not None
        process.stdin.write(b"\n")
        assert await process.wait() == 0

    run(main)


def test_many_children_at_once_each_give_their_own_result(run: Run) -> None:
    async def one(number: int) -> tuple[bytes, int | None]:
        process = await asyncio.create_subprocess_exec(
            *python(f"print({number}); raise SystemExit({number})"), stdout=PIPE
        )
        output, _errors = await process.communicate()
        return output, process.returncode

    async def main() -> None:
        results = await asyncio.gather(*(one(number) for number in range(8)))
        assert results == [(b"%d\n" % number, number) for number in range(8)]

    run(main)


def test_a_shell_command_runs_with_its_errors_merged(run: Run) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_shell(
            "echo out; echo err >&2", stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )
        output, _errors = await process.communicate()
        assert output == b"out\nerr\n"

    run(main)


def test_a_program_that_does_not_exist_fails_and_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await asyncio.create_subprocess_exec("/nonexistent/program", stdin=PIPE, stdout=PIPE)

    run(main)


def test_writing_to_a_child_that_is_gone_is_a_broken_pipe_or_dropped(run: Run) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(*python("pass"), stdin=PIPE)
        assert await process.wait() == 0
        assert process.stdin is not None
        process.stdin.write(b"x" * 100_000)
        with pytest.raises(ConnectionError):
            await process.stdin.drain()

    run(main)
