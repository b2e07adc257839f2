"""A fresh Python process for what can be seen only while clearloop is imported for the first time."""

from __future__ import annotations

import os
import subprocess
import sys


def run_child(source: str, **environment: str) -> str:
    """Run a program to its end without CLEARLOOP_REQUIRE_NATIVE, unless given, and return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if name != "CLEARLOOP_REQUIRE_NATIVE"}
    child = subprocess.run(
        [sys.executable, "-P", "-c", source],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout
