from typing import final

@final
class WriteQueue:
    """Chunks of bytes that wait to be sent, oldest first."""

    @property
    def size(self) -> int: ...
