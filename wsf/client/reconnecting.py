"""When a client whose link was lost tries again: exponential, full jitter, capped.

The law: clients that lost one service together do not come back together; and nobody comes back to who has
sent it away.
"""

import random
from collections.abc import Callable
from typing import Final

from attrs import Attribute, field, frozen, validators

from wsf.communication_object import CloseStatus, CommunicationState
from wsf.errors import (
    CloseCode,
    ConnectError,
    SecurityNegotiationError,
    ServerTooBusyError,
    UpgradeRefusedError,
)
from wsf.settings import Seconds, finite

__all__ = ("Backoff", "ReconnectSettings", "is_final", "is_worth_another_try")

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


def _is_finite(_instance: object, _attribute: "Attribute[float]", value: float) -> None:
    if finite(value) is None:
        raise ValueError("Infinite would never try again: give a time")


@frozen
class ReconnectSettings:
    """How a client comes back after its link was lost. Not in WCF.

    Before attempt n it waits a random time between 0 and ``initial_delay`` * 2^n, at most ``max_delay``; and
    at least what the service asks for (Retry-After). A session that has lasted longer than ``max_delay``
    begins the count anew.

    Attributes:
        initial_delay: s; the longest wait before the first attempt.
        max_delay: s; the longest wait before any.
        max_attempts: In a row, until the channel is FAULTED; None: without end.
    """

    initial_delay: Seconds = field(default=1.0, validator=[validators.gt(0), _is_finite])
    max_delay: Seconds = field(default=30.0, validator=[validators.gt(0), _is_finite])
    max_attempts: int | None = field(default=None, validator=validators.optional(validators.ge(1)))

    def __attrs_post_init__(self) -> None:
        if self.max_delay < self.initial_delay:
            raise ValueError("max_delay is below initial_delay")


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
    return isinstance(error, SecurityNegotiationError) or not isinstance(error, ConnectError)
