"""Making transports: nothing here is called from C."""
