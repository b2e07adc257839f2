"""The README's numbers are those of the committed results, word for word."""

from __future__ import annotations

import json
from pathlib import Path

from bench.compare.summary import BEGIN, END, README, replaced, summary

RESULTS = Path(__file__).parents[2] / "bench" / "results" / "compare-3.13.json"


def test_the_readme_holds_the_table_of_the_results() -> None:
    table = summary(json.loads(RESULTS.read_text()), "bench/results/RESULTS.md")
    assert README.read_text() == replaced(README.read_text(), table)


def test_a_table_that_was_edited_by_hand_is_noticed() -> None:
    readme = f"text\n{BEGIN}\n| 1 |\n{END}\n"
    assert replaced(readme, "| 2 |") != readme
    assert replaced(readme, "| 1 |") == readme
