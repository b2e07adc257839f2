"""clearloop: a native asyncio event loop that stays clear, because every step is accounted for."""

from clearloop.errors import ClearloopError, NativeUnavailableError
from clearloop.facts import Distribution, LoopStatistics
from clearloop.loop.choice import EventLoop, new_event_loop
from clearloop.loop.install import install, uninstall
from clearloop.loop.runner import Runner, run

__all__ = [
    "ClearloopError",
    "Distribution",
    "EventLoop",
    "LoopStatistics",
    "NativeUnavailableError",
    "Runner",
    "__version__",
    "install",
    "new_event_loop",
    "run",
    "uninstall",
]

__version__ = "0.1.0"
