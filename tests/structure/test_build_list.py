"""The build's lists name every file that there is, and the version is one."""

from __future__ import annotations

import ast
import re
import tomllib

from tests.structure import tree
from tests.structure.imports import graph

# Native modules that Python code uses, so that type checkers need a stub of them.
USED_FROM_PYTHON = {"acceptor", "core", "counters", "epoll", "establish", "fallback", "handle", "transport", "turn"}


def differences(there: set[str], listed: set[str]) -> list[str]:
    return sorted(
        [f"{name} is not listed" for name in there - listed] + [f"{name} is not there" for name in listed - there]
    )


def without(suffix: str, names: set[str], folder: set[str]) -> list[str]:
    """Name those of `names` whose file with that suffix is not in the folder."""
    return sorted(name for name in names if f"{name}{suffix}" not in folder)


def engine_files() -> set[str]:
    return {path.name for path in tree.ENGINE.iterdir() if path.is_file()}


def native_modules() -> set[str]:
    return {path.stem for path in tree.ENGINE.glob("*.pyx")}


def versions(pyproject: str, build_file: str, package: str) -> set[str]:
    """Collect the version that each of the three files states."""
    in_build = re.search(r"^\s*version: '([^']+)'", build_file, re.MULTILINE)
    in_package = [
        ast.literal_eval(node.value)
        for node in ast.parse(package).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert in_build is not None
    assert len(in_package) == 1
    return {tomllib.loads(pyproject)["project"]["version"], in_build[1], in_package[0]}


def test_native_modules_live_in_the_engine_alone() -> None:
    assert {path.parent for path in tree.PACKAGE.rglob("*.pyx")} == {tree.ENGINE}


def test_every_native_module_is_built() -> None:
    assert differences(native_modules(), tree.native_module_list(tree.MESON.read_text())) == []


def test_every_native_module_has_its_declarations() -> None:
    assert without(".pxd", native_modules(), engine_files()) == []


def test_every_native_module_that_python_uses_has_a_stub() -> None:
    assert without(".pyi", USED_FROM_PYTHON, engine_files()) == []


def test_the_list_of_those_that_python_uses_is_complete() -> None:
    used = {
        target.rpartition(".")[2]
        for module, targets in graph().items()
        if module in tree.python_modules()
        for target in targets & tree.native_sources().keys()
    }
    assert used - USED_FROM_PYTHON == set()


def test_every_stub_is_of_a_native_module() -> None:
    stubs = {path.stem for path in tree.PACKAGE.rglob("*.pyi")}
    assert stubs - native_modules() == set()


def test_every_python_file_and_stub_is_installed() -> None:
    there = {
        str(path.relative_to(tree.PACKAGE))
        for pattern in ("*.py", "*.pyi", "py.typed")
        for path in tree.PACKAGE.rglob(pattern)
    }
    assert differences(there, tree.python_file_list(tree.MESON.read_text())) == []


def test_the_version_is_one() -> None:
    pyproject = (tree.ROOT / "pyproject.toml").read_text()
    build_file = (tree.ROOT / "meson.build").read_text()
    package = (tree.PACKAGE / "__init__.py").read_text()
    assert len(versions(pyproject, build_file, package)) == 1


def test_the_lists_of_a_build_file_are_read() -> None:
    build_file = """
native_modules = [
  'core',
  'wire',
]
if linux
  native_modules += 'epoll'
endif
python_files = {
  '': ['__init__.py', 'py.typed'],
  'loop': ['run.py'],
}
foreach folder, files : python_files
"""
    assert tree.native_module_list(build_file) == {"core", "wire", "epoll"}
    assert tree.python_file_list(build_file) == {"__init__.py", "py.typed", "loop/run.py"}


def test_the_checks_can_fail() -> None:
    assert differences({"a", "b"}, {"b", "c"}) == ["a is not listed", "c is not there"]
    assert without(".pxd", {"a", "b"}, {"a.pyx", "a.pxd", "b.pyx"}) == ["b"]
    pyproject, build_file = '[project]\nversion = "1.0"', "project(\n  version: '1.1',\n)"
    assert versions(pyproject, build_file, '__version__ = "1.0"') == {"1.0", "1.1"}
