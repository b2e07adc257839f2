"""Facts about the machine and the software of a run, and which core each process gets."""

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cores:
    """The server's core and the load generator's; the same one where the machine has only one."""

    server: int
    load: int

    @property
    def shared(self) -> bool:
        """Tell whether server and load fight for one core."""
        return self.server == self.load


def cores() -> Cores:
    """Choose the first two cores that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[min(1, len(usable) - 1)])


def facts() -> dict[str, Any]:
    """Describe machine, Python and the packages that the HTTP cells run on."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    banner = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release().partition("-")[0],  # a local suffix names one machine, not a kernel
        "python": platform.python_version(),
        "python_build": sys.version,
        "compiler": banner.splitlines()[0],
        "packages": {name: _version(name) for name in ("uvicorn", "httptools", "fastapi", "aiohttp")},
        "load_average_before": os.getloadavg()[0],
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
