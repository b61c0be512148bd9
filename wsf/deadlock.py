"""Which calls of a client could never end. The law: what could end is never refused.

WCF: PrepareCall of ServiceChannel, which forbids the call *to* the client wherever this could happen.
"""

from collections.abc import Iterable

from wsf.concurrency import InstanceLock, Turn
from wsf.correlation import PendingCall
from wsf.inbox import Arrival, Inbox

__all__ = ("blocking_call", "reason")


def blocking_call(
    arrival: Arrival, inbox: Inbox, lock: InstanceLock | None, held_up: Iterable[PendingCall], places: int
) -> PendingCall | None:
    """Our call to this client that waits for what the client sends now, which itself waits for our call.

    It is so if the client had been given our call when it sent this, and the session waits for our call's
    operation, or the service object's lock does, or, with others like it, every place to run.

    Args:
        lock: What the new call has to pass; None: an object of its own.
        held_up: Calls to any client that wait, in the same way, for calls which wait for a place to run.
        places: How many calls of the service can run at the same time.
    """
    holders: dict[Turn, PendingCall] = {}
    for call in arrival.awaited:
        if call.turn is None or not call.is_waited_for:
            continue
        if inbox.waits_for(call.turn) or call.turn.holds(lock):
            return call
        holders[call.turn] = call
    blocking = next(iter(holders.values()), None)
    others = {call.turn for call in held_up if call.turn is not None and call.is_waited_for}
    return blocking if len(holders.keys() | others) >= places else None


def reason(operation: str, blocking: PendingCall) -> str:
    """Why a call is refused, with both names and the way out, for the client."""
    holder = blocking.turn.operation if blocking.turn is not None else ""
    return (
        f"{operation} would wait for {holder} to end, and {holder} waits for this client's answer to "
        f"{blocking.operation}: neither could end. Answer first and call then, or let the service be entered "
        f"meanwhile: ConcurrencyMode.REENTRANT (or MULTIPLE)"
    )
