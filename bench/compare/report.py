"""Writes a run's tables from its JSON: `python -m bench.compare.report FILE.json` (markdown beside the file).

The same tables are printed at the end of a run; the JSON holds everything, so no number here was typed by
hand.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from bench.compare import ratios, targets
from bench.compare.contenders import OURS, C

Document = dict[str, Any]
MARKDOWN = "RESULTS.md"
MANY = 50  # connections that keep a server busy
BUSY_BELOW = 0.85  # share of a core
LOAD_LIMITED = 0.95  # above this share of its core the load generator may be what limits requests/s


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(line) + " |" for line in (head, rule, *rows)]


def _ratio_columns(cell: ratios.Cell, name: str) -> list[str]:
    against = [_number(ratios.cost_ratio(cell, name, peer), ".2f") for peer in (C, "uvloop", "asyncio")]
    return [*against, _number(ratios.above_c(cell, name), ".2f")]


def _row(cell: ratios.Cell, name: str) -> list[str]:
    low, high = ratios.spread_ns(cell, name)
    cost = ratios.cost_ns(cell, name) or 0.0
    label = f"**{name}**" if name == OURS else name
    if cell["group"] == "micro":
        return [label, f"{cost:.0f}", f"{low:.0f} .. {high:.0f}", *_ratio_columns(cell, name)[1:3]]
    rate = ratios.median(ratios.rate(cell, name).values())
    tails = [
        _number((ratios.median(ratios.values(cell, name, f"p{share}_ns").values()) or 0) / 1e3, ".0f")
        for share in (50, 99)
    ]
    spread = f"{low / 1e3:.2f} .. {high / 1e3:.2f}"
    return [label, f"{cost / 1e3:.2f}", spread, *_ratio_columns(cell, name), _number(rate, ",.0f"), *tails]


def _head(cell: ratios.Cell) -> list[str]:
    if cell["group"] == "micro":
        return ["loop", "CPU ns/op", "min .. max", "/ uvloop", "/ asyncio"]
    peers = ["/ C", "/ uvloop", "/ asyncio", "above C / uvloop's"]
    return ["loop", "CPU us/request", "min .. max", *peers, "requests/s", "p50 us", "p99 us"]


def _notes(cell: ratios.Cell) -> list[str]:
    notes = [f"- {name}: not measured: {reason}" for name, reason in cell["failures"].items()]
    shares: dict[str, list[float]] = {}
    for entry in cell["rounds"]:
        if "load_cpu_ns" in entry:
            shares.setdefault(entry["contender"], []).append(entry["load_cpu_ns"] / entry["wall_ns"])
    limited = [name for name, known in shares.items() if (ratios.median(known) or 0) > LOAD_LIMITED]
    if limited:
        notes.append(f"- the load generator's core was full against {', '.join(sorted(limited))}: judge CPU, not rate")
    if _busy(cell):
        notes.append("- others used these cores during this cell: judge CPU, not requests/s or latency")
    lost = sum(entry.get("lost", 0) for entry in cell["rounds"])
    return [*notes, f"- {lost} datagrams were lost and sent again"] if lost else notes


def _busy(cell: ratios.Cell) -> bool:
    """Tell whether others took the cores: neither server nor load had most of its own."""
    shares = [
        max(entry["cpu_ns"], entry["load_cpu_ns"]) / entry["wall_ns"]
        for entry in cell["rounds"]
        if "load_cpu_ns" in entry and cell["connections"] >= MANY
    ]
    return bool(shares) and (ratios.median(shares) or 0) < BUSY_BELOW


def _cell_section(cell: ratios.Cell) -> list[str]:
    rows = [_row(cell, name) for name in ratios.measured(cell)]
    return [f"### {cell['title']}", "", *_table(_head(cell), rows), "", *_notes(cell), ""]


def target_rows(document: Document) -> list[list[str]]:
    """Judge every target: its cell, its sentence, the measured number, and met, missed or not measured."""
    cells = {cell["name"]: cell for cell in document["cells"]}
    rows = []
    for target in targets.ALL:
        cell = cells.get(target.cell)
        number = ratios.target_ratio(cell, target) if cell else None
        verdict = "not measured" if number is None else "met" if target.is_met(number) else "**missed**"
        if cell and number is not None and target.metric == "rate" and _busy(cell):
            verdict += " (machine busy: repeat)"
        rows.append([target.cell, target.sentence, _number(number, ".2f"), verdict])
    return rows


def _environment(document: Document) -> list[str]:
    machine, settings = document["machine"], document["settings"]
    versions = [
        f"{name} {facts['version']}" if facts["version"] else name
        for name, facts in document["contenders"].items()
        if not facts["absent"]
    ]
    absent = [
        f"- {name}: absent: {facts['absent']}" for name, facts in document["contenders"].items() if facts["absent"]
    ]
    cores = "one core shared by server and load" if settings["shared_core"] else "server and load on a core each"
    where = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, CPython {machine['python']}"
    method = "contenders in random order inside each round; medians, spread, medians of the rounds' own ratios"
    busy = f"Load average before the run: {machine['load_average_before']:.2f}."
    return [
        f"{machine['date']}: {where}. {cores.capitalize()}. {busy}",
        f"Contenders: {', '.join(versions)}.",
        f"{settings['rounds']} rounds of {settings['measure_s']} s, {method}.",
        "CPU is on-CPU time of the server process per request (schedstat): not the load generator's.",
        *absent,
    ]


def markdown(document: Document) -> str:
    """Return the whole report as markdown."""
    head = ["# Comparison", "", *_environment(document), "", "## Targets", ""]
    verdicts = _table(["cell", "target", "measured", "verdict"], target_rows(document))
    body = [line for cell in document["cells"] for line in _cell_section(cell)]
    return "\n".join([*head, *verdicts, "", "## Cells", "", *body]).rstrip() + "\n"


def main() -> None:
    """Rewrite the markdown from a JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare.report")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    target = arguments.file.with_name(MARKDOWN)
    target.write_text(markdown(json.loads(arguments.file.read_text())))
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
