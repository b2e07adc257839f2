from selectors import BaseSelector
from typing import Self, final

from clearloop._engine.poller import Poller

@final
class SelectorsPoller(Poller):
    """Watches fds with a selectors.BaseSelector."""

    @property
    def selector(self) -> BaseSelector: ...
    def __new__(cls, selector: BaseSelector) -> Self: ...
