"""Each module of the installed package can be imported first, in a fresh process, whatever else is not.

The package's own __init__ would import half of the package before the module's turn, so an empty package stands in.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import clearloop

RUN_BY_IMPORT = {"clearloop.__main__"}  # importing it is running the command line
ALONE = """
import importlib, sys, types
module, *path = sys.argv[1:]
package = types.ModuleType("clearloop")
package.__path__ = path
sys.modules["clearloop"] = package
importlib.import_module(module)
"""


def installed_modules() -> list[str]:
    """Name the modules that can be imported here: the Python modules and the native ones that the build made."""
    found = pkgutil.walk_packages(clearloop.__path__, "clearloop.")
    return sorted({module.name for module in found} - RUN_BY_IMPORT)


def import_alone(module: str, path: list[str]) -> tuple[int, str]:
    child = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", ALONE, module, *path],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=50,
        check=False,
    )
    return child.returncode, child.stderr


@pytest.mark.parametrize("module", installed_modules())
def test_a_module_is_imported_alone(module: str) -> None:
    assert import_alone(module, list(clearloop.__path__)) == (0, "")


def test_native_and_python_modules_are_among_them() -> None:
    assert {"clearloop.facts", "clearloop.loop.event_loop", "clearloop._engine.turn"} <= set(installed_modules())


def test_a_module_that_cannot_be_imported_is_told(tmp_path: object) -> None:
    folder = str(tmp_path)
    with open(f"{folder}/broken.py", "w", encoding="utf-8") as file:  # noqa: PTH123  tmp_path as a plain string
        file.write("import clearloop.of_which_there_is_none\n")
    status, errors = import_alone("clearloop.broken", [folder])
    assert status == 1
    assert "No module named 'clearloop.of_which_there_is_none'" in errors
