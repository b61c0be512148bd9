"""How fast a host that ends lets its clients go: so many in a batch, so long between two batches.

The law: clients that come back must not all come at once, and no client may wait past half of the time that
the host has left. What a host does with it is in ``wsf.host.drain``.
"""

import math
from typing import Final

from attrs import Attribute, field, frozen, validators

from wsf.settings import Seconds

__all__ = ("DrainSettings",)

#: the part of closeTimeout within which the last batch is told: the rest is for running operations, for what
#: waits in outboxes and for the clients' answers
TELLING_PART: Final = 0.5


def _is_finite(_instance: object, _attribute: "Attribute[float]", value: float) -> None:
    if not math.isfinite(value):
        raise ValueError("Infinite would never tell the second batch: give a time")


@frozen
class DrainSettings:
    """How many clients are told at a time that their host ends. Not in WCF.

    100 in 0.2 s are 500 clients a second: what a sibling of the host takes back beside its work.

    Attributes:
        batch_size: Clients that are told at once; a host with no more than these waits for nothing.
        batch_interval: s from one batch to the next; 0: none. Shorter where half of closeTimeout is not
            enough for all of them.
    """

    batch_size: int = field(default=100, validator=validators.ge(1))
    batch_interval: Seconds = field(default=0.2, validator=[validators.ge(0), _is_finite])

    def pause(self, sessions: int, close_timeout: float) -> float:
        """S between two batches of so many sessions, for a host that has ``close_timeout`` s."""
        pauses = (sessions - 1) // self.batch_size
        return min(self.batch_interval, TELLING_PART * close_timeout / pauses) if pauses > 0 else 0.0
