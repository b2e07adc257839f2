"""``clearloop run``: a Python program, unchanged, with every default event loop a clearloop loop.

The program sees what it would see under ``python``: sys.argv, sys.path[0], __main__, its exit code, its tracebacks.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from clearloop.cli.stats import Recorder
from clearloop.loop.install import install

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]

HELP = """\
usage: clearloop run [--stats] [--debug] SCRIPT.py [ARGUMENTS ...]
       clearloop run [--stats] [--debug] -m MODULE [ARGUMENTS ...]
       clearloop run [--stats] [--debug] -c CODE [ARGUMENTS ...]

Runs a Python program with clearloop in place of asyncio's default event loop: in asyncio.run(), asyncio.Runner,
asyncio.new_event_loop() and the libraries that call them. Arguments and exit code are as with python.

options:
  --stats   print each loop's statistics to standard error when the program ends
  --debug   asyncio's debug mode, as PYTHONASYNCIODEBUG=1
"""


class Program(NamedTuple):
    """What to run: kind is "script", "-m" or "-c"; words are the program's sys.argv[1:]."""

    kind: str
    target: str
    words: list[str]


class UsageError(Exception):
    """The words of the command line do not say what to run."""


def parse(words: list[str]) -> tuple[set[str], Program]:
    """Return the options given and the program; what stands after the program's name belongs to the program."""
    options: set[str] = set()
    for index, word in enumerate(words):
        if word in ("--stats", "--debug"):
            options.add(word)
        elif word in ("-m", "-c"):
            if index + 1 == len(words):
                kind = "a module's name" if word == "-m" else "code"
                raise UsageError(f"{word} needs {kind} after it.")
            return options, Program(word, words[index + 1], words[index + 2 :])
        elif word.startswith("-"):
            raise UsageError(f"there is no option {word!r}; options of the program go after its name.")
        else:
            return options, Program("script", word, words[index + 1 :])
    raise UsageError("name a script, -m MODULE or -c CODE to run.")


def run_code(source: str | bytes, file: str, names: dict[str, Any]) -> None:
    """Execute source as a fresh __main__ module, as python does."""
    module = types.ModuleType("__main__")
    module.__dict__.update(names, __builtins__=__builtins__)
    sys.modules["__main__"] = module
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 -- running the user's program is the verb


def run_program(program: Program) -> None:
    """Run the program in this process."""
    if program.kind == "-m":
        sys.argv = ["-m", *program.words]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(program.target, run_name="__main__", alter_sys=True)
    elif program.kind == "-c":
        sys.argv = ["-c", *program.words]
        sys.path.insert(0, "")
        run_code(program.target, "<string>", {})
    else:
        sys.argv = [program.target, *program.words]
        script = Path(program.target)
        sys.path.insert(0, str(script.resolve().parent))
        run_code(script.read_bytes(), program.target, {"__file__": program.target})


def show_uncaught(error: BaseException) -> None:
    """Print an exception as python does: from the program's first frame on."""
    own_files = {__file__, runpy.__file__}
    traceback = error.__traceback__
    while traceback is not None and (
        traceback.tb_frame.f_code.co_filename in own_files or traceback.tb_frame.f_code.co_filename == "<frozen runpy>"
    ):
        traceback = traceback.tb_next
    sys.excepthook(type(error), error.with_traceback(traceback), traceback)


def guarded(body: Callable[[], None]) -> int:
    """Run body and return the exit code that python would give."""
    try:
        body()
    except SystemExit:
        raise
    except KeyboardInterrupt as error:
        show_uncaught(error)
        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)  # ends as python does, so that shells see the signal
        return 128 + signal.SIGINT
    except BaseException as error:
        show_uncaught(error)
        return 1
    return 0


def run(words: list[str]) -> int:
    """Carry out ``clearloop run WORDS``."""
    if words and words[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    try:
        options, program = parse(words)
    except UsageError as error:
        print(f"clearloop run: {error} `clearloop run --help` tells more.", file=sys.stderr)
        return 2
    if program.kind == "script" and not Path(program.target).is_file():
        kind = "is a folder; name a script in it, or use -m" if Path(program.target).is_dir() else "no such file"
        print(f"clearloop run: can't open file {program.target!r}: {kind}.", file=sys.stderr)
        return 2
    if "--debug" in options:
        os.environ["PYTHONASYNCIODEBUG"] = "1"
    install()
    if "--stats" not in options:
        return guarded(lambda: run_program(program))
    with Recorder(sys.stderr):
        return guarded(lambda: run_program(program))
