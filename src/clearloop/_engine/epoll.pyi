from clearloop._engine.poller import Poller

class EpollPoller(Poller):
    """Watches fds with one epoll object."""
