"""`python -m bench.compare`: what a request costs on this loop, on its peers, and in plain C.

Interleaved in one run; the primary number is on-CPU time of the server per request, which other users of
the machine hardly move. Writes JSON with every round's raw numbers, markdown and charts beside it, and
prints the verdicts.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.compare import build, cells, charts, contenders, machine, report
from bench.compare.measure import Bench
from bench.compare.rounds import run

RESULTS = build.BENCH / "results"


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few cells, short rounds: under 3 minutes")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="cells, groups or beginnings of names")
    parser.add_argument("--later", action="store_true", help="also the cells of work that is not native yet")
    parser.add_argument("--contenders", nargs="+", choices=contenders.NAMES, default=list(contenders.NAMES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, help="of each measurement (default 0.6, quick 0.2)")
    parser.add_argument("--out", type=Path, help="default: bench/results/compare-PYTHON.json")
    parser.add_argument("--list", action="store_true", help="list the cells and end")
    arguments = parser.parse_args(words)
    if arguments.out is None:
        quick = "-quick" if arguments.quick or arguments.only else ""
        arguments.out = RESULTS / f"compare-{sys.version_info[0]}.{sys.version_info[1]}{quick}.json"
    return arguments


def _presence(names: list[str]) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    for name in names:
        reason = _c_absence() if name == contenders.C else contenders.absence(name)
        found[name] = {"absent": reason, "version": None if reason else contenders.version(name)}
        if reason:
            print(f"absent: {name}: {reason}", file=sys.stderr)
    return found


def _c_absence() -> str | None:
    try:
        build.c_server()
    except subprocess.CalledProcessError as failure:
        return f"the compiler refused it: {failure.stderr.strip().splitlines()[-1]}"
    return None


def _bench(arguments: argparse.Namespace, chosen: list[cells.Cell], folder: Path) -> tuple[Bench, list[cells.Cell]]:
    load, speaks_tls = build.load_program()
    seconds = arguments.seconds or (0.2 if arguments.quick else 0.6)
    bench = Bench(machine.cores(), seconds / 3, seconds, 0.3 if arguments.quick else 1.0, folder, load)
    if any(cell.transport == "tls" for cell in chosen):
        if speaks_tls:
            return bench.with_certificate(), chosen
        print("absent: tls: the load generator was built without OpenSSL's headers", file=sys.stderr)
        chosen = [cell for cell in chosen if cell.transport != "tls"]
    return bench, chosen


def _save(document: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run everything and return the document; it is on disk after every cell."""
    presence = _presence(arguments.contenders)
    names = [name for name, facts in presence.items() if not facts["absent"]]
    bench, chosen = _bench(
        arguments, cells.choose(arguments.only, quick=arguments.quick, later=arguments.later), folder
    )
    settings = {"rounds": arguments.rounds, "measure_s": bench.measure_s, "warmup_s": bench.warmup_s}
    document: dict[str, Any] = {
        "machine": machine.facts(),
        "contenders": presence,
        "settings": {**settings, "shared_core": bench.cores.shared, "quick": arguments.quick},
        "cells": [],
    }
    if bench.cores.shared:
        print(
            "Only one core: server and load share it; requests/s mean little, CPU per request holds.",
            file=sys.stderr,
        )
    for result in run(bench, chosen, names, arguments.rounds):
        document["cells"].append(result)
        _save(document, arguments.out)
    return document


def main() -> None:
    """Compare, then write the report and the charts."""
    arguments = parse()
    if arguments.list:
        for cell in cells.ALL:
            print(f"{cell.name:24} {cell.group:9} {cell.title}{'  (named only)' if cell.later else ''}")
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        document = compare(arguments, Path(folder))
    text = report.markdown(document)
    print(text)
    partial = arguments.quick or arguments.only
    if not partial:
        arguments.out.with_name(report.MARKDOWN).write_text(text)
        charts.write_all(document, arguments.out.parent)
    print(f"wrote {arguments.out}" + ("" if partial else ", the markdown table and the charts"), file=sys.stderr)


if __name__ == "__main__":
    main()
