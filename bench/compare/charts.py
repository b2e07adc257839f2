"""Draws a run's charts from its JSON: `python -m bench.compare.charts FILE.json` (SVG files beside the file).

Three charts: CPU per request of the protocol echo, CPU per operation, HTTP. Each panel has its own scale
from zero; the thin line on a bar is the smallest to the largest of the rounds.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.compare import ratios
from bench.compare.contenders import OURS
from bench.compare.svg import Bar, Panel, draw

COLOURS = {
    "c": "#8b949e",
    "asyncio": "#c4a35a",
    "asyncio-64k": "#a88b4a",
    "uvloop": "#5b8fc7",
    "rloop": "#4a9b8e",
    "zuvloop": "#8a7bc8",
    "rsloop": "#b3739b",
    OURS: "#e8590c",
}
ECHO_CELLS = (
    "protocol-100x1KiB",
    "protocol-100x64KiB",
    "protocol-1000x1KiB",
    "protocol-1x1KiB",
    "buffered-100x1KiB",
    "protocol-100x64B",
)


def _cost_bars(cell: ratios.Cell, unit_ns: float, form: str) -> list[Bar]:
    bars = []
    for name in ratios.measured(cell):
        cost = ratios.cost_ns(cell, name) or 0.0
        low, high = ratios.spread_ns(cell, name)
        bars.append(Bar(name, cost, format(cost / unit_ns, form), COLOURS[name], name == OURS, low, high))
    return bars


def _rate_bars(cell: ratios.Cell) -> list[Bar]:
    bars = []
    for name in ratios.measured(cell):
        rates = list(ratios.rate(cell, name).values())
        middle = ratios.median(rates) or 0.0
        text = f"{middle / 1e3:.1f}k/s"
        bars.append(Bar(name, middle, text, COLOURS[name], name == OURS, min(rates), max(rates)))
    return bars


def _notes(document: dict[str, Any]) -> list[str]:
    machine, settings = document["machine"], document["settings"]
    rounds = f"Medians of {settings['rounds']} interleaved rounds; thin line: smallest to largest."
    return [f"{rounds} {machine['cpu']}, CPython {machine['python']}, {machine['date'][:10]}."]


def _by_name(document: dict[str, Any]) -> dict[str, ratios.Cell]:
    return {cell["name"]: cell for cell in document["cells"] if cell["rounds"]}


def echo(document: dict[str, Any]) -> str | None:
    """Return the chart of CPU per echoed message, or None when nothing was measured."""
    cells = _by_name(document)
    chosen = [cells[name] for name in ECHO_CELLS if name in cells]
    panels = [Panel(cell["title"], _cost_bars(cell, 1e3, ".2f")) for cell in chosen]
    title = "Server CPU per echoed message, microseconds (shorter is better)"
    return draw(title, _notes(document), panels) if panels else None


def operations(document: dict[str, Any]) -> str | None:
    """Return the chart of CPU per operation without I/O."""
    chosen = [cell for cell in _by_name(document).values() if cell["group"] == "micro"]
    panels = [Panel(cell["title"], _cost_bars(cell, 1.0, ",.0f")) for cell in chosen]
    title = "CPU per operation, nanoseconds (shorter is better)"
    return draw(title, _notes(document), panels) if panels else None


def http(document: dict[str, Any]) -> str | None:
    """Return the chart of HTTP services: requests per second beside CPU per request."""
    panels = []
    for cell in _by_name(document).values():
        if cell["group"] == "http":
            panels.append(Panel(f"{cell['title']}: requests/s", _rate_bars(cell)))
            panels.append(Panel(f"{cell['title']}: CPU us/request", _cost_bars(cell, 1e3, ".1f")))
    title = "HTTP: requests/s (longer is better) and server CPU (shorter is better)"
    return draw(title, _notes(document), panels) if panels else None


def write_all(document: dict[str, Any], folder: Path) -> list[Path]:
    """Write every chart that the document has numbers for and return the files."""
    written = []
    for name, make in (("echo", echo), ("operations", operations), ("http", http)):
        drawing = make(document)
        if drawing is not None:
            path = folder / f"{name}.svg"
            path.write_text(drawing)
            written.append(path)
    return written


def main() -> None:
    """Redraw the charts of a JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare.charts")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    for path in write_all(json.loads(arguments.file.read_text()), arguments.file.parent):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
