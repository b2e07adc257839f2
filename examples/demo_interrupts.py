"""Ctrl-C and SIGTERM while the demo starts a child: held back until the child is known and can be ended.

An exception inside `subprocess.Popen` would leave a running child that nobody holds.
"""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back inside the block and deliver them at its end."""
    held: list[int] = []
    before = {
        number: signal.signal(number, lambda caught, _frame: held.append(caught))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in held:
            signal.raise_signal(caught)
