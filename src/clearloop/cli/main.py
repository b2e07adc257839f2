"""The ``clearloop`` command: reads the verb and hands over to its file."""

from __future__ import annotations

import sys

import clearloop

__all__ = ["main"]

HELP = """\
usage: clearloop VERB ...

Runs asyncio programs on clearloop's native event loop.

verbs:
  run      run a Python program with clearloop in place of asyncio's default event loop
  doctor   tell what this machine offers, and why a fallback was taken, if one was

`clearloop VERB --help` tells more. `clearloop --version` prints the version.
"""


def main(words: list[str] | None = None) -> int:
    """Run the command; return its exit code (0 fine, 1 the program or the check failed, 2 wrong words)."""
    words = sys.argv[1:] if words is None else words
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help"):
        print(HELP, end="", file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if verb == "--version":
        print(f"clearloop {clearloop.__version__}")
        return 0
    if verb == "run":
        from clearloop.cli.run import run

        return run(words[1:])
    if verb == "doctor":
        from clearloop.cli.doctor import doctor

        return doctor(words[1:])
    print(f"clearloop: there is no verb {verb!r}; `clearloop --help` lists them.", file=sys.stderr)
    return 2
