"""Every exception of clearloop. Each message is a sentence: what happened, the likely cause, the next step."""

__all__ = ["ClearloopError", "NativeUnavailableError"]


class ClearloopError(Exception):
    """Base of what clearloop raises on its own account; asyncio's contracts keep asyncio's exceptions."""


class NativeUnavailableError(ClearloopError, ImportError):
    """The native loop cannot run here, and CLEARLOOP_REQUIRE_NATIVE forbids asyncio's loop in its place."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"clearloop's native loop cannot run here: {reason} "
            "CLEARLOOP_REQUIRE_NATIVE is set, so asyncio's own loop was not taken instead; "
            "unset it to allow that, and run `clearloop doctor` to see what is missing.",
        )
        self.reason = reason
