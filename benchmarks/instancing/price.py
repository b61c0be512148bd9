"""What a mode costs by itself, in this process: too little for thor to show.

A call's way through its service object, as the dispatcher goes it: the object is found or made, its lock
taken and left, and it is released if the mode says so.
"""

import asyncio
import time
from typing import Final

from wsf.behaviors import behavior_of
from wsf.instancing import InstanceContext, instancing_for

__all__ = ("price_of",)

CALLS: Final = 2_000
REPEATS: Final = 100


def price_of(service: type) -> float:
    """µs a call; the least of many repeats, since all that a busy machine does is add."""
    return min(asyncio.run(_repeat(service)) for _ in range(REPEATS)) / CALLS * 1e6


async def _repeat(service: type) -> float:
    behavior = behavior_of(service)
    instancing = instancing_for(behavior.instance_context_mode, behavior.concurrency_mode, service)
    of_session: InstanceContext | None = None
    began = time.process_time()
    for _ in range(CALLS):
        context = of_session = instancing.for_call(of_session)
        if not context.gate.try_enter():
            await context.gate.enter()
        context.gate.leave()
        await instancing.end_of_call(context)
    return time.process_time() - began
