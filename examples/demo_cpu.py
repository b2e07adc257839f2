"""How much CPU another process has used: the scheduler's own count on Linux, `ps` elsewhere.

The scheduler counts in nanoseconds; `ps` prints hundredths of a second on macOS and the BSDs.
"""

import subprocess
import sys
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """CPU seconds that all threads of the process have run so far."""
    return _from_scheduler(pid) if sys.platform == "linux" else _from_ps(pid)


def _from_scheduler(pid: int) -> float:
    # /proc/PID/schedstat counts the main thread alone; its threads are listed one level down.
    counts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(count.split()[0]) for count in counts) / 1e9


def _from_ps(pid: int) -> float:
    shown = subprocess.run(
        ["ps", "-o", "time=", "-p", str(pid)], check=True, capture_output=True, text=True, timeout=10
    )
    days, _, clock = shown.stdout.strip().rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds + 86400 * int(days or 0)
