from selectors import BaseSelector

from clearloop._engine.poller import Poller

class SelectorsPoller(Poller):
    """Watches fds with a selectors.BaseSelector."""

    @property
    def selector(self) -> BaseSelector: ...
    def __new__(cls, selector: BaseSelector) -> SelectorsPoller: ...
