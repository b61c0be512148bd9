"""Laws of a turn at a service object: who calls out under REENTRANT lets others in, and comes back first."""

import asyncio

import pytest

from wsf.behaviors import ConcurrencyMode
from wsf.concurrency import InstanceLock, Turn


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Visit:
    """An operation that enters when its turn has come, and ends when it is told."""

    def __init__(self, name: str, lock: InstanceLock, order: list[str]) -> None:
        self.turn = Turn(name)
        self._ending = asyncio.Event()
        self._task = asyncio.create_task(self._run(lock, order))

    async def _run(self, lock: InstanceLock, order: list[str]) -> None:
        await self.turn.begin(lock)
        order.append(self.turn.operation)
        await self._ending.wait()
        self.turn.end()

    async def end(self) -> None:
        self._ending.set()
        await self._task


async def test_who_comes_back_goes_before_who_comes_new() -> None:
    lock, order = InstanceLock(ConcurrencyMode.REENTRANT), []
    caller = Visit("caller", lock, order)
    await settle()
    caller.turn.step_out()
    between, late, later = (Visit(name, lock, order) for name in ("between", "late", "later"))
    await settle()
    assert order == ["caller", "between"]  # one at a time, while the caller is out
    back = asyncio.create_task(caller.turn.step_in())
    await settle()
    assert not back.done()  # nobody is inside with somebody else
    await between.end()
    await settle()
    assert (back.done(), order) == (True, ["caller", "between"])
    await caller.end()
    await late.end()
    await later.end()
    assert order == ["caller", "between", "late", "later"]
    assert (lock.active, lock.waiting, lock.holder) == (0, 0, None)


@pytest.mark.parametrize(
    ("mode", "is_entered"),
    [(ConcurrencyMode.SINGLE, False), (ConcurrencyMode.REENTRANT, True), (ConcurrencyMode.MULTIPLE, True)],
)
async def test_only_reentrant_opens_a_lock_around_a_call(mode: ConcurrencyMode, is_entered: bool) -> None:
    lock = InstanceLock(mode)
    first, second = Turn("first"), Turn("second")
    assert first.try_begin(lock)
    first.step_out()
    assert second.try_begin(lock) is is_entered
    second.end()
    await first.step_in()
    assert Turn("third").try_begin(lock) is (mode is ConcurrencyMode.MULTIPLE)


async def test_of_several_calls_of_one_operation_the_first_to_return_takes_the_lock() -> None:
    lock = InstanceLock(ConcurrencyMode.REENTRANT)
    turn = Turn("gathers")
    assert turn.try_begin(lock)
    turn.step_out()
    turn.step_out()
    returned = [asyncio.create_task(turn.step_in()) for _ in range(2)]
    await settle()
    assert all(call.done() for call in returned)
    assert (lock.active, lock.waiting, lock.holder) == (1, 0, turn)
    turn.end()
    assert lock.active == 0


async def test_a_call_that_returns_after_its_operation_takes_nothing() -> None:
    lock = InstanceLock(ConcurrencyMode.REENTRANT)
    turn, other = Turn("ended"), Turn("other")
    assert turn.try_begin(lock)
    turn.step_out()
    assert other.try_begin(lock)
    back = asyncio.create_task(turn.step_in())
    await settle()
    turn.end()
    assert lock.holder is other
    other.end()
    await back
    assert (lock.active, lock.holder) == (0, None)
