"""The check that the standard library's private methods still look as clearloop expects."""

from __future__ import annotations

from asyncio import selector_events
from typing import Any

import pytest

from clearloop.loop import compat
from clearloop.loop.event_loop import EventLoop


class Stock:
    """Stands for a class of asyncio's whose private method has changed."""

    def _method(self, sock: Any, surprise: Any = None) -> None:
        """Do nothing: only the signature counts."""


def test_this_python_is_as_expected() -> None:
    assert list(compat.drifted()) == []


def test_what_drifted_is_named_with_what_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "OVERRIDDEN", {(Stock, "_method"): "self sock"})
    assert list(compat.drifted()) == ["Stock._method(self, sock, surprise) was expected to take (self, sock)"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("self sock surprise", True),
        ("self sock surprise*", True),  # names with a star may be there
        ("self sock surprise context*", True),  # or not
        ("self sock surprise context* more*", True),
        ("self sock", False),
        ("self surprise sock", False),  # another order
        ("self sock surprise context", False),
        ("self sock surprise* context*", False),  # all of them or none
        ("", False),
    ],
)
def test_forms(monkeypatch: pytest.MonkeyPatch, form: str, expected: bool) -> None:
    monkeypatch.setattr(compat, "OVERRIDDEN", {(Stock, "_method"): form})
    assert (not list(compat.drifted())) is expected


def test_every_method_that_drifted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = dict.fromkeys(compat.OVERRIDDEN, "nothing of the kind")
    monkeypatch.setattr(compat, "OVERRIDDEN", forms)
    sentences = list(compat.drifted())
    assert len(sentences) == len(forms)
    for (owner, name), sentence in zip(forms, sentences, strict=True):
        assert sentence.startswith(f"{owner.__qualname__}.{name}(")


def test_a_method_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat, "OVERRIDDEN", {(Stock, "_other"): "self"})
    assert list(compat.drifted()) == ["Stock._other() is gone"]


def test_every_private_method_that_the_loop_overrides_is_checked() -> None:
    stock = {
        name: function
        for owner in reversed(selector_events.BaseSelectorEventLoop.__mro__)
        for name, function in vars(owner).items()
    }
    ours = {
        name
        for owner in EventLoop.__mro__
        if owner.__module__.startswith("clearloop")
        for name, member in vars(owner).items()
        if name.startswith("_") and not name.startswith("__") and callable(member)
    }
    checked = {name for _owner, name in compat.OVERRIDDEN}
    added_later = {"_run_forever_setup", "_run_forever_cleanup"}  # compat has them for older versions
    assert {name for name in ours if callable(stock.get(name))} - checked - added_later == set()
