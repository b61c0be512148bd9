"""The two gates of WCF's concurrency modes: a session's receive pump, and the lock of a service object.

Both are held until an operation's coroutine ends; an ``await`` does not open them.
WCF: ConcurrencyBehavior, ImmutableDispatchRuntime.
"""

from typing import Final

from wsf.behaviors import ConcurrencyMode
from wsf.throttling import Gate

__all__ = ("instance_gate", "pump_waits")

#: places of the gate that is no gate
UNLIMITED: Final = 2**63


def pump_waits(mode: ConcurrencyMode) -> bool:
    """Whether a session's next message waits until the operation before it has ended."""
    return mode is ConcurrencyMode.SINGLE


def instance_gate(mode: ConcurrencyMode) -> Gate:
    """The lock of one service object: one operation at a time, FIFO; none for MULTIPLE.

    REENTRANT opens it only around calls that wait for a reply. One-way calls never wait.
    """
    return Gate(UNLIMITED if mode is ConcurrencyMode.MULTIPLE else 1)
