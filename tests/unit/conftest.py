"""Unit tests look inside clearloop's loops, so they run on both pollers and not on asyncio."""

from __future__ import annotations

import pytest


@pytest.fixture(params=("clearloop", "clearloop-selectors"))
def flavour(request: pytest.FixtureRequest) -> str:
    """Take the place of the suite's fixture of that name, whose first loop is asyncio's."""
    return str(request.param)
