"""The short table of README.md, from a run's JSON: `python -m bench.compare.summary FILE.json [--write]`.

--write puts it between the README's two markers; a test holds the README to what this prints.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.compare import ratios
from bench.compare.contenders import OURS

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- numbers: python -m bench.compare.summary -->", "<!-- end of numbers -->"
ROWS = (
    "protocol-100x1KiB",
    "protocol-100x64KiB",
    "buffered-100x1KiB",
    "call_soon",
    "call_later_cancel",
    "create_task",
    "sleep_zero",
    "asgi",
    "fastapi",
    "aiohttp",
)
COLUMNS = ("c", "asyncio", "asyncio-64k", "uvloop", "rloop", OURS)


def _cost(cell: ratios.Cell, contender: str) -> str:
    cost = ratios.cost_ns(cell, contender)
    if cost is None:
        return "-"
    return f"{cost:,.0f} ns" if cell["group"] == "micro" else f"{cost / 1e3:.3g} µs"


def summary(document: dict[str, Any], results: str) -> str:
    """Return the table and the sentence that says where its numbers come from."""
    machine, packages = document["machine"], document["machine"]["packages"]
    peers = {name: entry["version"] for name, entry in document["contenders"].items() if entry["version"]}
    cells = {cell["name"]: cell for cell in document["cells"]}
    origin = (
        f"CPU time of the server per request or operation, medians of {document['settings']['rounds']} interleaved"
        f" rounds: {machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']},"
        f" Python {machine['python']}, uvloop {peers['uvloop']}, rloop {peers['rloop']}, uvicorn {packages['uvicorn']},"
        f" FastAPI {packages['fastapi']}, aiohttp {packages['aiohttp']}; {machine['date'][:10]}."
        " `C` is a plain epoll server; `asyncio-64k` is asyncio with a 64 KiB read buffer, without the page faults of"
        " its own 256 KiB."
    )
    lines = [
        origin,
        "",
        "| work | " + " | ".join("C" if name == "c" else name for name in COLUMNS) + " | / uvloop |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 1),
    ]
    for cell in (cells[name] for name in ROWS if name in cells):
        ratio = ratios.cost_ratio(cell, OURS, "uvloop")
        costs = " | ".join(_cost(cell, name) for name in COLUMNS)
        lines.append(f"| {cell['title']} | {costs} | {'-' if ratio is None else format(ratio, '.2f')} |")
    lines += ["", f"All cells, spreads and missed targets: [RESULTS.md]({results}); `make bench` makes them anew."]
    return "\n".join(lines)


def replaced(readme: str, table: str) -> str:
    """Return the README's text with the table between its markers."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Print the table of a JSON file, or put it into the README."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare.summary", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--write", action="store_true", help="put it into README.md")
    arguments = parser.parse_args()
    table = summary(json.loads(arguments.file.read_text()), "bench/results/RESULTS.md")
    if arguments.write:
        README.write_text(replaced(README.read_text(), table))
    else:
        print(table)


if __name__ == "__main__":
    main()
