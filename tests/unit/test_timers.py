"""The framework's own timers keep nobody's session alive, and know nothing of other threads' loops."""

import asyncio
import contextvars
import gc
import threading
import weakref

from tests.doubles import DEADLINE
from wsf.timers import call_later


class _Operation:
    """Whatever a context may hold."""


async def test_a_cancelled_timer_does_not_keep_who_made_it() -> None:
    current = contextvars.ContextVar[_Operation]("current")
    loop, made = asyncio.get_running_loop(), list[asyncio.TimerHandle]()

    async def operation() -> "weakref.ref[_Operation]":
        served = _Operation()
        current.set(served)
        made.append(call_later(loop, 3600, print))
        made[0].cancel()
        return weakref.ref(served)

    served = await asyncio.create_task(operation())
    await asyncio.sleep(0)  # its end is told in its context, too
    gc.collect()
    assert served() is None


def test_two_loops_in_two_threads_are_called_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=DEADLINE)

    async def wait() -> None:
        met = asyncio.Event()

        def meet() -> None:
            both.wait()
            met.set()

        call_later(asyncio.get_running_loop(), 0, meet)
        async with asyncio.timeout(DEADLINE):
            await met.wait()

    other = threading.Thread(target=asyncio.run, args=(wait(),))
    other.start()
    asyncio.run(wait())
    other.join(DEADLINE)
    assert not other.is_alive()
