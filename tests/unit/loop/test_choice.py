"""Which loop is chosen, and what the user is told when it is not the native one."""

from __future__ import annotations

import asyncio

import pytest

import clearloop
from clearloop.errors import ClearloopError, NativeUnavailableError
from clearloop.loop import choice
from tests.unit.loop.children import run_child

DRIFTED = """
from asyncio import selector_events
owner = selector_events.BaseSelectorEventLoop
stock_add_reader = owner._add_reader
def _add_reader(self, fd, callback, *args, surprise=None):
    return stock_add_reader(self, fd, callback, *args)
owner._add_reader = _add_reader
"""
NOT_BUILT = """
import sys
sys.modules["clearloop._engine.turn"] = None
"""
IMPORT = """
import asyncio, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import clearloop
    import clearloop.loop.choice
    loop = clearloop.new_event_loop()
print(len(caught), type(loop) is asyncio.SelectorEventLoop, clearloop.EventLoop is asyncio.SelectorEventLoop)
for warning in caught:
    print(warning.category.__name__, warning.message)
loop.close()
"""
REFUSED = """
try:
    import clearloop
except ImportError as error:
    print([base.__name__ for base in type(error).__mro__[:2]])
    print(error)
"""


def test_the_native_loop_is_chosen_here() -> None:
    assert choice.FALLBACK_REASON is None
    assert choice.native_loop() == (clearloop.EventLoop, None)
    assert issubclass(clearloop.EventLoop, asyncio.SelectorEventLoop)
    loop = clearloop.new_event_loop()
    assert type(loop) is clearloop.EventLoop
    loop.close()


def test_a_fresh_import_warns_of_nothing() -> None:
    lines = run_child(IMPORT).splitlines()
    assert lines == ["0 False False"]


def test_what_drifted_is_named_once_and_asyncios_loop_is_taken() -> None:
    first, warning = run_child(DRIFTED + IMPORT).splitlines()
    assert first == "1 True True"
    assert warning.startswith("RuntimeWarning clearloop runs on asyncio's own event loop")
    assert "_add_reader(self, fd, callback, args, surprise) was expected to take" in warning


def test_a_module_that_was_not_built_is_named() -> None:
    first, warning = run_child(NOT_BUILT + IMPORT).splitlines()
    assert first == "1 True True"
    assert "its compiled modules could not be imported" in warning
    assert "clearloop._engine.turn" in warning


@pytest.mark.parametrize("value", ["1", "yes"])
def test_a_required_native_loop_is_not_replaced(value: str) -> None:
    bases, *sentence = run_child(DRIFTED + REFUSED, CLEARLOOP_REQUIRE_NATIVE=value).splitlines()
    assert bases == "['NativeUnavailableError', 'ClearloopError']"
    assert "_add_reader(self, fd, callback, args, surprise) was expected to take" in sentence[0]
    assert "CLEARLOOP_REQUIRE_NATIVE is set" in sentence[0]


@pytest.mark.parametrize("value", ["", "0"])
def test_zero_and_nothing_require_nothing(value: str) -> None:
    assert run_child(DRIFTED + IMPORT, CLEARLOOP_REQUIRE_NATIVE=value).startswith("1 True True")


def test_a_fallback_runs_programs_and_installs_nothing() -> None:
    program = """
import asyncio, warnings
warnings.simplefilter("ignore")
import clearloop
stock = asyncio.SelectorEventLoop
clearloop.install()
print(asyncio.SelectorEventLoop is stock, clearloop.run(asyncio.sleep(0, "result")))
clearloop.uninstall()
"""
    assert run_child(DRIFTED + program).split() == ["True", "result"]


def test_the_poller_can_be_chosen_by_the_environment() -> None:
    program = "import clearloop; loop = clearloop.EventLoop(); print(loop._poller_name()); loop.close()"
    assert run_child(program, CLEARLOOP_POLLER="selectors").startswith("selectors (")


def test_the_error_is_one_of_clearloop_and_an_import_error() -> None:
    error = NativeUnavailableError("The reason is this.")
    assert isinstance(error, ClearloopError)
    assert isinstance(error, ImportError)
    assert error.reason == "The reason is this."
    assert "The reason is this. CLEARLOOP_REQUIRE_NATIVE is set" in str(error)
