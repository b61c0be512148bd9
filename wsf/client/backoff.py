"""When a client whose link was lost tries again: exponential, full jitter, capped.

The law: clients that lost one service together do not come back together; and nobody comes back to who has
sent it away.
"""

import random
from collections.abc import Callable
from typing import Final

from wsf.communication_object import CloseStatus, CommunicationState
from wsf.errors import (
    CloseCode,
    SecurityNegotiationError,
    ServerTooBusyError,
    UpgradeRefusedError,
)
from wsf.reconnecting import ReconnectSettings

__all__ = ("Backoff", "is_final", "is_worth_another_try")

#: close codes of a service after which it may take the same client again: it went away, broke inside,
#: restarts, or had too much to do
RETRIED_CODES: Final = frozenset(
    {
        CloseCode.GOING_AWAY,
        CloseCode.INTERNAL_ERROR,
        CloseCode.SERVICE_RESTART,
        CloseCode.TRY_AGAIN_LATER,
    }
)

#: HTTP's words for a server's own trouble, and for: too slow, say it again
RETRIED_STATUSES: Final = frozenset({408, 425, 500, 502, 504})

#: doublings that are counted: more than any cap takes
MAX_DOUBLINGS: Final = 32


class Backoff:
    """The waits of one channel.

    Args:
        uniform: A random number between two.

    Attributes:
        attempts: Since the last session that lasted.
    """

    def __init__(
        self, settings: ReconnectSettings, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._settings = settings
        self._uniform = uniform
        self.attempts = 0

    def after(self, lasted: float) -> None:
        """A session has ended that lasted so many s."""
        if lasted > self._settings.max_delay:
            self.attempts = 0

    def next(self, error: Exception | None = None) -> float | None:
        """S until the next attempt; None: there have been enough.

        Args:
            error: What became of the attempt before.
        """
        settings = self._settings
        if settings.max_attempts is not None and self.attempts >= settings.max_attempts:
            return None
        most = min(settings.max_delay, settings.initial_delay * 2.0 ** min(self.attempts, MAX_DOUBLINGS))
        self.attempts += 1
        asked = getattr(error, "retry_after", None) or 0.0
        return max(self._uniform(0.0, most), min(asked, settings.max_delay))


def is_worth_another_try(state: CommunicationState, status: CloseStatus | None) -> bool:
    """Whether a session that has ended like this was lost, rather than over."""
    if state is CommunicationState.FAULTED:
        return True
    return status is not None and status.by == "host" and status.code in RETRIED_CODES


def is_final(error: Exception) -> bool:
    """Whether the next attempt would end as this one did."""
    if isinstance(error, ServerTooBusyError):
        return False
    if isinstance(error, UpgradeRefusedError):
        return error.status not in RETRIED_STATUSES
    return isinstance(error, SecurityNegotiationError | TypeError | ValueError)  # the last two: a mistake
