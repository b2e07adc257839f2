"""What the demo's clients count, and the numbers that one run is reduced to.

A *request* is one JSON answer, one WebSocket answer, or one whole event stream. Failures (a wrong answer, a
broken connection, a client left without answers) count from the first connection on; numbers in the window.
"""

from dataclasses import dataclass, field

COMPLAINTS_KEPT = 5


@dataclass(frozen=True)
class Measured:
    """One run's numbers, all of the measured window; times in seconds, NaN where nothing was answered."""

    window_s: float
    requests: int
    json_requests: int
    websocket_answers: int
    streams: int
    tokens: int
    json_p50_s: float
    json_p99_s: float
    websocket_p50_s: float
    websocket_p99_s: float
    first_token_p50_s: float
    first_token_p99_s: float
    server_cpu_s: float
    client_cpu_s: float
    failures: int
    complaints: list[str]


@dataclass
class Tally:
    """What the clients have seen since the window began; failures since the start."""

    json_s: list[float] = field(default_factory=list)
    websocket_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    streams: int = 0
    tokens: int = 0
    failures: int = 0
    complaints: list[str] = field(default_factory=list)
    last_answer: dict[int, float] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Whole answers of all three kinds."""
        return len(self.json_s) + len(self.websocket_s) + self.streams

    def begin_window(self) -> None:
        """Forget the numbers of the warm-up, but none of its failures."""
        for samples in (self.json_s, self.websocket_s, self.first_token_s):
            samples.clear()
        self.streams = self.tokens = 0

    def fail(self, sentence: str) -> None:
        """Count a failure and keep the first few sentences."""
        self.failures += 1
        if len(self.complaints) < COMPLAINTS_KEPT:
            self.complaints.append(sentence)

    def check(self, asked: str, answer: object, expected: object) -> None:
        """Compare an answer with what the service must say."""
        if answer != expected:
            self.fail(f"{asked} was answered {answer!r} instead of {expected!r}.")

    def measured(self, window_s: float, server_cpu_s: float, client_cpu_s: float) -> Measured:
        """Reduce the tally to the numbers that the report shows."""
        return Measured(
            window_s=window_s,
            requests=self.requests,
            json_requests=len(self.json_s),
            websocket_answers=len(self.websocket_s),
            streams=self.streams,
            tokens=self.tokens,
            json_p50_s=percentile(self.json_s, 0.50),
            json_p99_s=percentile(self.json_s, 0.99),
            websocket_p50_s=percentile(self.websocket_s, 0.50),
            websocket_p99_s=percentile(self.websocket_s, 0.99),
            first_token_p50_s=percentile(self.first_token_s, 0.50),
            first_token_p99_s=percentile(self.first_token_s, 0.99),
            server_cpu_s=server_cpu_s,
            client_cpu_s=client_cpu_s,
            failures=self.failures,
            complaints=self.complaints,
        )


def percentile(samples: list[float], fraction: float) -> float:
    """Nearest-rank percentile; NaN when there is no sample."""
    if not samples:
        return float("nan")
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
