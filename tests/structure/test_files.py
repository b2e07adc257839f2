"""What holds for every file: its length, its name, and nothing in it of this machine or of work that was put off."""

from __future__ import annotations

import re
from pathlib import Path

from tests.structure import tree

LONGEST = 600
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
# Joined here, so that this file does not hold what it looks for.
PUT_OFF = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")
MACHINE_PATH = re.compile(r"(?<![\w.~$})-])/(tmp|root|home|work)/")
# Files that may name an absolute path, each with the reason.
MAY_NAME_PATHS: dict[str, str] = {}


def too_long(text: str) -> bool:
    return len(text.splitlines()) > LONGEST


def says_nothing(path: Path) -> bool:
    return any(Path(part).stem in NAMES_THAT_SAY_NOTHING for part in path.parts)


def lines_with(pattern: re.Pattern[str], text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


def all_lines_with(pattern: re.Pattern[str], but_in: dict[str, str]) -> list[str]:
    return [
        f"{tree.shown(path)}:{number}"
        for path in tree.text_files()
        if tree.shown(path) not in but_in
        for number in lines_with(pattern, path.read_text())
    ]


def test_there_are_files_of_every_kind() -> None:
    shown = {tree.shown(path) for path in tree.text_files()}
    assert {"pyproject.toml", "src/clearloop/__init__.py", "src/clearloop/_engine/turn.pyx"} <= shown
    assert {"src/clearloop/_engine/c/compat.h", "src/clearloop/meson.build", "tests/conftest.py"} <= shown


def test_no_file_of_code_is_too_long() -> None:
    assert [tree.shown(path) for path in tree.code_files() if too_long(path.read_text())] == []


def test_no_name_says_nothing() -> None:
    paths = [path.relative_to(tree.ROOT) for path in tree.text_files()]
    assert [str(path) for path in paths if says_nothing(path)] == []


def test_nothing_is_put_off() -> None:
    assert all_lines_with(PUT_OFF, {}) == []


def test_no_path_of_this_machine_is_named() -> None:
    assert all_lines_with(MACHINE_PATH, MAY_NAME_PATHS) == []


def test_who_may_name_paths_does_and_says_why() -> None:
    for name, reason in MAY_NAME_PATHS.items():
        assert reason
        assert lines_with(MACHINE_PATH, (tree.ROOT / name).read_text())


def test_the_checks_can_fail() -> None:
    assert too_long("line\n" * 601)
    assert not too_long("line\n" * 600)
    assert says_nothing(Path("tests/helpers.py"))
    assert says_nothing(Path("src/common/clock.py"))
    assert not says_nothing(Path("src/clearloop/common_clock.py"))
    assert lines_with(PUT_OFF, "fine\n# TO" + "DO: later\nMETODO") == [2]
    bad = ['"/' + "tmp/x", "cd /" + "home/me", "=/" + "work/main"]
    good = ["https://example.org/" + "home/page", "./" + "work/x", "$HOME/" + "tmp/x", "/" + "tmpfs", "build/" + "tmp/"]
    assert lines_with(MACHINE_PATH, "\n".join(bad + good)) == [1, 2, 3]
