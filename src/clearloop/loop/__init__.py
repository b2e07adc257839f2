"""The asyncio face: the event loop class, how it is chosen, run and installed."""
