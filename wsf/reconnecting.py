"""How a client comes back after its link was lost. What does it is in ``wsf.client.backoff``."""

from attrs import Attribute, field, frozen, validators

from wsf.settings import Seconds, finite

__all__ = ("ReconnectSettings",)


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
