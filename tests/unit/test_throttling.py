"""Laws of the gate: never more than its limit inside, first come first served, no place is ever lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsf.throttling import Gate


@pytest.mark.parametrize(("entered", "is_free"), [(1, True), (2, True), (3, False)])
def test_as_many_enter_as_the_limit_says(entered: int, is_free: bool) -> None:
    gate = Gate(3)
    for _ in range(entered):
        assert gate.try_enter()
    assert gate.try_enter() is is_free


async def test_who_waits_longest_is_next() -> None:
    gate, order = Gate(1), []

    async def visit(name: int) -> None:
        await gate.enter()
        order.append(name)
        gate.leave()

    await gate.enter()
    visits = [asyncio.create_task(visit(name)) for name in range(5)]
    await asyncio.sleep(0)
    assert gate.waiting == 5
    gate.leave()
    await asyncio.gather(*visits)
    assert order == [0, 1, 2, 3, 4]
    assert (gate.active, gate.waiting) == (0, 0)


async def test_nobody_slips_past_those_who_wait() -> None:
    gate = Gate(1)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()
    assert not gate.try_enter()
    await waiting
    gate.leave()


async def test_who_gives_up_waiting_loses_no_place() -> None:
    gate = Gate(1)
    await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.leave()
    await waiting[1]
    assert waiting[0].cancelled()
    gate.leave()
    assert gate.active == 0


async def test_a_place_given_to_somebody_who_just_left_goes_on_to_the_next() -> None:
    gate = Gate(1)
    await gate.enter()
    first, second = (asyncio.create_task(gate.enter()) for _ in range(2))
    await asyncio.sleep(0)
    gate.leave()  # the place is first's now, in this very turn
    first.cancel()
    await second
    gate.leave()
    assert gate.active == 0


@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=30))
def test_the_limit_holds_whatever_is_cancelled(limit: int, visits: list[tuple[int, bool]]) -> None:
    async def play() -> None:
        gate, inside = Gate(limit), 0

        async def visit(turns: int) -> None:
            nonlocal inside
            await gate.enter()
            inside += 1
            assert inside <= limit
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                inside -= 1
                gate.leave()

        tasks = [asyncio.create_task(visit(turns)) for turns, _ in visits]
        await asyncio.sleep(0)
        for task, (_, is_cancelled) in zip(tasks, visits, strict=True):
            if is_cancelled:
                task.cancel()
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (gate.active, gate.waiting) == (0, 0)

    asyncio.run(play())


async def test_who_is_dismissed_has_no_place_and_takes_none_away() -> None:
    gate = Gate(1)
    assert await gate.enter()
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    gate.dismiss()
    waiting[1].cancel()  # in the turn in which it is sent away
    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    assert waiting[2].result() is False
    assert (gate.active, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.active == 0
    assert await gate.enter()
