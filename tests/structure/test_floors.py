"""Imports go down the floors of the house, never up and never to a sibling, and never in a circle.

A room is the first name below clearloop; a file beside __init__.py is a room of its own. Within a room, modules import
each other as they like, but for circles. The package itself (public names) stands below the command line.
"""

from __future__ import annotations

import graphlib

import pytest

from tests.structure.imports import Graph, graph, imports_of_native, imports_of_python

FLOORS: list[set[str]] = [
    {"facts", "errors"},
    {"_engine"},
    {"loop"},
    {"streams", "sync"},
    {"watchdog", "guard", "lanes", "pace"},
    {"views", "serve", "check"},
    {"clearloop"},
    {"cli"},
    {"__main__"},
]
GROUND = {"facts", "errors"}
ONLY_GROUND = {"check", "views"}  # these read records and sources, and never import the runtime


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def floor_of(room: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise LookupError(f"The room {room!r} stands on no floor: decide where it belongs and add it to FLOORS.")


def floor_breaches(edges: Graph) -> list[str]:
    found = []
    for module, imported in sorted(edges.items()):
        room = room_of(module)
        for target in sorted(imported):
            below = room_of(target)
            if below == room:
                continue
            allowed = below in GROUND if room in ONLY_GROUND else floor_of(below) < floor_of(room)
            if not allowed:
                found.append(f"{module} imports {target}")
    return found


def cycle(edges: Graph) -> list[str]:
    """Return the modules of one circle, or nothing."""
    try:
        list(graphlib.TopologicalSorter(edges).static_order())
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_imports_go_down_the_floors() -> None:
    assert floor_breaches(graph()) == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycle(graph()) == []


def test_every_import_is_of_a_module_that_is_there() -> None:
    edges = graph()
    missing = {f"{module} -> {target}" for module, targets in edges.items() for target in targets - edges.keys()}
    assert missing == set()


def test_the_graph_has_the_edges_that_everybody_knows() -> None:
    edges = graph()
    assert "clearloop.loop.choice" in edges["clearloop"]
    assert "clearloop.facts" in edges["clearloop._engine.ledger"]  # import
    assert "clearloop._engine.core" in edges["clearloop._engine.turn"]  # cimport
    assert "clearloop._engine.clock" in edges["clearloop._engine.ledger"]  # cimport of a .pxd alone
    assert "clearloop._engine.turn" in edges["clearloop.loop.event_loop"]  # Python of native


@pytest.mark.parametrize(
    ("module", "target"),
    [
        ("clearloop._engine.core", "clearloop.loop.compat"),  # up
        ("clearloop.facts", "clearloop.errors"),  # a sibling
        ("clearloop.lanes.arena", "clearloop.watchdog"),  # a sibling
        ("clearloop.loop.runner", "clearloop"),  # up to the public names
        ("clearloop.check.rules", "clearloop.loop.compat"),  # the runtime
        ("clearloop.views.web", "clearloop.watchdog.health"),  # the runtime
        ("clearloop", "clearloop.cli.main"),
    ],
)
def test_a_breach_is_found(module: str, target: str) -> None:
    assert floor_breaches({module: {target}}) == [f"{module} imports {target}"]


def test_what_is_allowed_is_no_breach() -> None:
    edges = {
        "clearloop.cli.top": {"clearloop.views.terminal", "clearloop.facts", "clearloop"},
        "clearloop.check.rules": {"clearloop.facts", "clearloop.check.findings"},
        "clearloop.serve.gate": {"clearloop.pace", "clearloop.loop.runner"},
    }
    assert floor_breaches(edges) == []


def test_a_room_without_a_floor_is_named() -> None:
    with pytest.raises(LookupError, match="'cellar' stands on no floor"):
        floor_breaches({"clearloop.cellar": {"clearloop.facts"}})


def test_a_circle_is_found() -> None:
    assert set(cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_of_python_are_found_wherever_they_stand() -> None:
    source = """
import asyncio, clearloop.facts as records
from clearloop.loop import compat, choice as chosen
from clearloop._engine.turn import LoopCore
from . import runner
from ..errors import ClearloopError
if TYPE_CHECKING:
    from clearloop.cli.main import main
def late():
    import clearloop
"""
    known = {"clearloop.loop.compat", "clearloop.loop.choice", "clearloop.loop.runner"}
    assert imports_of_python(source, "clearloop.loop.here", known) == {
        "clearloop",
        "clearloop._engine.turn",
        "clearloop.cli.main",
        "clearloop.errors",
        "clearloop.facts",
        "clearloop.loop.choice",
        "clearloop.loop.compat",
        "clearloop.loop.runner",
    }


def test_imports_of_native_sources_are_found() -> None:
    source = """
from libc.stdint cimport int64_t
cimport cython, clearloop._engine.wire as wire
from clearloop._engine cimport clock, nothing
from clearloop._engine.c.python cimport (
    visitproc, traverseproc)
from clearloop._engine.core cimport Core  # why
import clearloop.errors
from clearloop.facts import Distribution
cdef int f():
    from clearloop._engine.late cimport g
"""
    assert imports_of_native(source, {"clearloop._engine.clock"}) == {
        "clearloop._engine",
        "clearloop._engine.c.python",
        "clearloop._engine.clock",
        "clearloop._engine.core",
        "clearloop._engine.late",
        "clearloop._engine.wire",
        "clearloop.errors",
        "clearloop.facts",
    }
