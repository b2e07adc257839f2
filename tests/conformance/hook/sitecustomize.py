"""Swaps the loop in every Python that a conformance child starts (spawn, forkserver, `python -c`).

It has a folder of its own because that folder is put on PYTHONPATH, where each file becomes importable.
"""

import os
import sys

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120  # pathlib would be loaded into every Python that a test starts

_name = os.environ.get("CLEARLOOP_CONFORMANCE_LOOP")
if _name:
    sys.path.insert(0, _ROOT)
    try:
        from tests.conformance import swap

        swap.install(_name)
    finally:
        sys.path.remove(_ROOT)
