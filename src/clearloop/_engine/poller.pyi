class Poller:
    """Base of the pollers: the table of watched fds."""
