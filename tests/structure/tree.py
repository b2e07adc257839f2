"""The repository as the structure tests see it: its text files, and the package's modules with their sources."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = SOURCE / "clearloop"
ENGINE = PACKAGE / "_engine"
MESON = PACKAGE / "meson.build"

WRITTEN = ("src", "tests", "bench", "examples", "docs", "tools", ".ci")
TEXT = {
    "", ".build", ".c", ".css", ".h", ".html", ".in", ".js", ".json", ".md", ".options", ".pxd", ".py", ".pyi", ".pyx",
    ".svg", ".toml", ".txt", ".typed", ".yaml", ".yml",
}  # fmt: skip  # a table of suffixes, one a line, says no more
CODE = {".c", ".h", ".js", ".pxd", ".py", ".pyi", ".pyx"}
MADE = {"__pycache__", "build", "dist"}  # folders that are made, not written


def text_files() -> list[Path]:
    """Every text file that belongs to the repository, by its place: what is made or ignored is left out."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in WRITTEN:
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder).parts[:-1]
            if path.is_file() and not any(part in MADE or part.startswith(".") for part in inside):
                found.append(path)
    return sorted(path for path in found if path.suffix in TEXT)


def code_files() -> list[Path]:
    return [path for path in text_files() if path.suffix in CODE]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    """Name the module of a source file; NAME.pyx and NAME.pxd are one module."""
    parts = list(path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def python_modules() -> dict[str, Path]:
    return {module_of(path): path for path in PACKAGE.rglob("*.py")}


def native_sources() -> dict[str, list[Path]]:
    """Give {module: its .pyx and .pxd, or the .pxd alone}."""
    sources: dict[str, list[Path]] = {}
    for path in sorted([*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")]):
        sources.setdefault(module_of(path), []).append(path)
    return sources


def native_module_list(build_file: str) -> set[str]:
    """Read the names of the native modules out of the text of the package's meson.build."""
    lists = re.findall(r"native_modules \+?= (\[[^\]]*\]|'\w+')", build_file)
    names: set[str] = set()
    for text in lists:
        value = ast.literal_eval(text)
        names.update([value] if isinstance(value, str) else value)
    return names


def python_file_list(build_file: str) -> set[str]:
    """Read what is installed besides native modules out of the text of the package's meson.build."""
    table = re.search(r"python_files = (\{.*?^\})", build_file, re.DOTALL | re.MULTILINE)
    assert table is not None, "meson.build has no python_files"
    folders: dict[str, list[str]] = ast.literal_eval(table[1])
    return {f"{folder}/{name}".lstrip("/") for folder, names in folders.items() for name in names}
