"""Which module of the package imports or cimports which: from the sources, nothing is run."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.structure import tree

if TYPE_CHECKING:
    from collections.abc import Collection

FROM = re.compile(r"^[ \t]*from[ \t]+(clearloop[\w.]*)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n#]*)", re.MULTILINE)
PLAIN = re.compile(r"^[ \t]*c?import[ \t]+([^\n#]*clearloop[^\n#]*)", re.MULTILINE)

Graph = dict[str, set[str]]


def resolve(package: str, names: Collection[str], known: Collection[str]) -> set[str]:
    """Say which modules `from package import names` needs: those that a name is, and the package for other names."""
    return {f"{package}.{name}" if f"{package}.{name}" in known else package for name in names}


def imports_of_python(source: str, module: str, known: Collection[str]) -> set[str]:
    """Find the package's own modules that a Python module imports anywhere, also for its type checker only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports count from the package of the module: level 1 is beside it.
            above = module.split(".")[: -node.level] if node.level else []
            package = ".".join([*above, *([node.module] if node.module else [])])
            found.update(resolve(package, [alias.name for alias in node.names], known))
    return {name for name in found if name.split(".")[0] == "clearloop"}


def imports_of_native(source: str, known: Collection[str]) -> set[str]:
    """Find the package's own modules that a .pyx or .pxd imports or cimports."""
    found: set[str] = set()
    for package, names in FROM.findall(source):
        words = [re.split(r"\s+as\s+", name.strip())[0] for name in names.strip("()").split(",")]
        found.update(resolve(package, [word for word in words if word], known))
    for names in PLAIN.findall(source):
        words = [re.split(r"\s+as\s+", name.strip())[0] for name in names.split(",")]
        found.update(word for word in words if word.split(".")[0] == "clearloop")
    return found


def graph() -> Graph:
    """Give {module: the modules of the package that it imports or cimports}; a module does not import itself."""
    python, native = tree.python_modules(), tree.native_sources()
    known = {*python, *native}
    edges: Graph = {}
    for module, path in python.items():
        # A package is the module whose name ends where its folder does.
        inside = f"{module}.__init__" if path.name == "__init__.py" else module
        edges[module] = imports_of_python(path.read_text(), inside, known) - {module}
    for module, paths in native.items():
        found = [imports_of_native(path.read_text(), known) for path in paths]
        edges[module] = set().union(*found) - {module}
    return edges
