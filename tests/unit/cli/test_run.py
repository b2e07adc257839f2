"""`clearloop run`: a program sees what it would see under python, and its loops are clearloop's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

ARGUMENTS = """
import sys
print(sys.argv[1:], __name__)
raise SystemExit(7)
"""

KIND_OF_LOOP = """
import asyncio
async def main():
    print(type(asyncio.get_running_loop()).__module__.partition(".")[0])
asyncio.run(main())
with asyncio.Runner() as runner:
    runner.run(main())
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""


def clearloop(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clearloop", *words], capture_output=True, text=True, timeout=30, check=False, cwd=cwd
    )


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=30, check=False, cwd=cwd)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(ARGUMENTS)
    return path


@pytest.mark.parametrize(
    "words",
    [("program.py", "a", "-b", "--stats"), ("-m", "program", "a", "-b", "--stats"), ("-c", ARGUMENTS, "a", "-b")],
    ids=["script", "module", "code"],
)
def test_arguments_name_and_exit_code_are_as_with_python(program: Path, words: tuple[str, ...]) -> None:
    expected = python(*words, cwd=program.parent)
    found = clearloop("run", *words, cwd=program.parent)
    assert (found.returncode, found.stdout, found.stderr) == (7, expected.stdout, expected.stderr)


def test_every_default_loop_is_clearloops() -> None:
    found = clearloop("run", "-c", KIND_OF_LOOP)
    assert found.stdout == "clearloop\n" * 3, found.stderr


@pytest.mark.parametrize("kind", ["script", "module", "code"])
def test_a_traceback_begins_in_the_program(tmp_path: Path, kind: str) -> None:
    source = "def fail():\n    1 / 0\nfail()\n"
    (tmp_path / "failing.py").write_text(source)
    words = {"script": ["failing.py"], "module": ["-m", "failing"], "code": ["-c", source]}[kind]
    found = clearloop("run", *words, cwd=tmp_path)
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
    assert "clearloop" not in found.stderr
    assert "runpy" not in found.stderr
    assert found.stderr.count("File ") == 2


def test_a_module_next_to_the_script_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("value = 42\n")
    (tmp_path / "script.py").write_text("import beside\nprint(beside.value)\n")
    assert clearloop("run", str(tmp_path / "script.py")).stdout == "42\n"


def test_objects_of_the_program_can_be_pickled(tmp_path: Path) -> None:
    (tmp_path / "pickling.py").write_text(
        "import pickle\nclass Thing:\n    pass\nprint(type(pickle.loads(pickle.dumps(Thing()))).__module__)\n"
    )
    assert clearloop("run", str(tmp_path / "pickling.py")).stdout == "__main__\n"


def test_ctrl_c_ends_the_program_by_the_signal_after_its_clean_up() -> None:
    source = (
        "import asyncio\n"
        "async def main():\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned up', flush=True)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-m", "clearloop", "run", "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert output == "cleaned up\n"
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_stats_tell_of_every_loop_that_ran() -> None:
    found = clearloop("run", "--stats", "-c", KIND_OF_LOOP)
    assert found.returncode == 0
    assert [line for line in found.stderr.splitlines() if line.startswith("clearloop:")] == [
        f"clearloop: loop {number} of 3" for number in (1, 2, 3)
    ]
    for word in ("busy", "steps", "step", "lag", "p99"):
        assert word in found.stderr


def test_stats_are_printed_when_the_program_exits_with_a_code_or_leaves_its_loop_open() -> None:
    source = (
        "import asyncio, sys\nloop = asyncio.new_event_loop()\nloop.run_until_complete(asyncio.sleep(0))\nsys.exit(3)"
    )
    found = clearloop("run", "--stats", "-c", source)
    assert found.returncode == 3
    assert "clearloop: loop 1 of 1" in found.stderr


def test_stats_say_so_when_no_loop_ran() -> None:
    found = clearloop("run", "--stats", "-c", "pass")
    assert found.stderr == "clearloop: no clearloop loop ran in this process.\n"


def test_debug_is_asyncios_debug_mode() -> None:
    source = "import asyncio\nasync def main():\n    print(asyncio.get_running_loop().get_debug())\nasyncio.run(main())"
    assert clearloop("run", "--debug", "-c", source).stdout == "True\n"
    assert clearloop("run", "-c", source).stdout == "False\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "name a script"),
        (["run", "-m"], "-m needs a module's name"),
        (["run", "-c"], "-c needs code"),
        (["run", "--nonsense", "x.py"], "there is no option '--nonsense'"),
        (["run", "no/such/file.py"], "can't open file 'no/such/file.py'"),
        (["nonsense"], "there is no verb 'nonsense'"),
    ],
)
def test_wrong_words_are_named_and_give_exit_code_2(words: list[str], told: str) -> None:
    found = clearloop(*words)
    assert found.returncode == 2
    assert told in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["doctor", "--help"], ["--version"]])
def test_help_and_version_go_to_standard_output(words: list[str]) -> None:
    found = clearloop(*words)
    assert found.returncode == 0
    assert "clearloop" in found.stdout
    assert found.stderr == ""


def test_doctor_names_the_native_loop_and_its_poller() -> None:
    found = clearloop("doctor")
    assert found.returncode == 0
    told = dict(line.split(None, 1) for line in found.stdout.splitlines())
    assert told["loop"].startswith("native")
    assert "poller" in told
    assert told["Python"].startswith("CPython")


def test_doctor_says_why_a_fallback_was_taken(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import asyncio.selector_events as events\ndel events.BaseSelectorEventLoop._stop_serving\n"
    )
    found = subprocess.run(
        [sys.executable, "-m", "clearloop", "doctor"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "CLEARLOOP_REQUIRE_NATIVE": "0"},
    )
    assert found.returncode == 1
    assert "_stop_serving() is gone" in found.stdout
    assert "RuntimeWarning" in found.stderr
