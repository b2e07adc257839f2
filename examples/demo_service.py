"""The demo's service: examples/service.py in a child process on a free port, always ended.

The child stays in the demo's process group, so a closed terminal ends it too. Its output goes to a file,
never to a pipe that nobody empties, and is shown when something goes wrong.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from examples.demo_interrupts import held_interrupts

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
ADDRESS_LINE = re.compile(r"running on http://127\.0\.0\.1:(\d+)")
NOT_FOUND = 404


class ServiceError(Exception):
    """The service did not start, or did not stop: the message shows what it printed."""


class Service:
    """One running service, as a context manager; `port` and `pid` are known inside the `with` block."""

    def __init__(self, loop_name: str) -> None:
        self.loop_name = loop_name
        self.port = 0
        self._folder = tempfile.TemporaryDirectory(prefix="clearloop-demo-")
        self._output = Path(self._folder.name) / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the service."""
        return self._started().pid

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        complaint = self._stop()
        if complaint and error is None:
            raise ServiceError(complaint)

    def output(self) -> str:
        """Read what the service has printed so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def died(self) -> bool:
        """Whether the service ended without being asked to."""
        return self._started().poll() is not None

    def statistics(self) -> dict[str, Any] | None:
        """Fetch the loop's own account; None when the loop keeps none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/statistics")
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status == NOT_FOUND:
            return None
        if response.status != http.client.OK:
            raise ServiceError(f"/statistics answered {response.status}: {body!r}\n{self.shown_output()}")
        account = json.loads(body)
        assert isinstance(account, dict)
        return account

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the service runs only inside its with block"
        return self._process

    def _start(self) -> None:
        command = [sys.executable, "-m", "examples.service", "--port", "0", "--loop", self.loop_name]
        # Numbers under clearloop's name must not come from its fallback to asyncio's loop.
        environment = {**os.environ, "CLEARLOOP_REQUIRE_NATIVE": "1"}
        with self._output.open("wb") as output, held_interrupts():
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (address := ADDRESS_LINE.search(self.output())):
            if self.died():
                raise ServiceError(
                    f"The service on {self.loop_name} ended with code {self._process.returncode} "
                    f"before it listened.\n{self.shown_output()}"
                )
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"The service on {self.loop_name} did not listen within {START_TIMEOUT_S:.0f} s.\n"
                    f"{self.shown_output()}"
                )
            time.sleep(0.02)
        self.port = int(address[1])

    def _stop(self) -> str:
        """End the child and remove its folder; return a complaint when it had to be killed or failed."""
        process, complaint = self._process, ""
        try:
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            complaint = (
                f"The service on {self.loop_name} did not end within {STOP_TIMEOUT_S:.0f} s of SIGTERM "
                f"and was killed.\n{self.shown_output()}"
            )
        finally:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
            self._folder.cleanup()
        return complaint

    def shown_output(self) -> str:
        """End of the service's output, as part of an error message."""
        lines = self.output().strip().splitlines() or ["(nothing)"]
        return "Its output:\n" + "\n".join(f"  | {line}" for line in lines[-40:])
