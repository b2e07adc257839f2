from typing import final

from clearloop._engine.poller import Poller

@final
class EpollPoller(Poller):
    """Watches fds with one epoll object."""
