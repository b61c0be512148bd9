"""What a mode costs by itself, in this process: too little for thor to show.

A call's way through its service object, as the dispatcher goes it: the object is found or made, its lock
taken and left, and it is released if the mode says so.
"""

import asyncio
import time
from typing import Final

from wsf.behaviors import behavior_of
from wsf.concurrency import Turn
from wsf.instancing import ClassInstanceProvider, InstanceContext, instancing_for
from wsf.message import Message
from wsf.throttling import UNLIMITED, Gate

__all__ = ("price_of",)

CALLS: Final = 2_000
REPEATS: Final = 100

_MESSAGE: Final = Message(b"")


def price_of(service: type) -> float:
    """µs a call; the least of many repeats, since all that a busy machine does is add."""
    return min(asyncio.run(_repeat(service)) for _ in range(REPEATS)) / CALLS * 1e6


async def _repeat(service: type) -> float:
    behavior = behavior_of(service)
    provider = ClassInstanceProvider(service)
    instancing = instancing_for(
        behavior.instance_context_mode, behavior.concurrency_mode, provider, Gate(UNLIMITED)
    )
    of_session: InstanceContext | None = None
    began = time.process_time()
    for _ in range(CALLS):
        context = of_session = instancing.for_call(of_session)
        turn = Turn("operation")
        await turn.begin(context.lock)
        await instancing.activate(context, _MESSAGE)
        turn.end()
        await instancing.end_of_call(context)
    return time.process_time() - began
