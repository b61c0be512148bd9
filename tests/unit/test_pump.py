"""Laws of the message pump: first come, first served; who waits holds nobody up; nobody feels another."""

import asyncio
from contextvars import ContextVar

import pytest

from wsf.pump import IDLE_TASKS, TASK_NAME, MessagePump, Step

Task = asyncio.Task[None]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def pump_tasks() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == TASK_NAME]


async def test_steps_are_made_in_the_order_in_which_they_were_put_by_one_task() -> None:
    pump, made = MessagePump(), list[tuple[int, Task]]()

    def step(number: int) -> Step:
        async def make(task: Task) -> None:
            assert task is asyncio.current_task()
            made.append((number, task))

        return make

    for number in range(100):
        pump.put(step(number))
    await turns(3)
    assert [number for number, _ in made] == list(range(100))
    assert len({task for _, task in made}) == 1
    pump.rest()


async def test_who_waits_holds_nobody_up_and_a_task_is_used_again() -> None:
    pump, gate, made = MessagePump(), asyncio.Event(), list[str]()

    async def wait(task: Task) -> None:
        await gate.wait()
        made.append("waited")

    async def go(task: Task) -> None:
        made.append("gone")

    for _ in range(3):
        pump.put(wait)
        pump.put(go)
    await turns(10)
    assert made == ["gone"] * 3
    gate.set()
    await turns(3)
    assert made == ["gone"] * 3 + ["waited"] * 3
    before = set(pump_tasks())
    pump.put(go)
    await turns(3)
    assert set(pump_tasks()) == before
    pump.rest()


async def test_no_more_tasks_are_kept_than_the_bound_and_none_when_nobody_is_expected() -> None:
    pump, gate = MessagePump(), asyncio.Event()

    async def wait(task: Task) -> None:
        await gate.wait()

    for _ in range(IDLE_TASKS + 5):
        pump.put(wait)
    await turns(IDLE_TASKS * 3)
    assert len(pump_tasks()) == IDLE_TASKS + 5
    gate.set()
    await turns(5)
    assert len(pump_tasks()) == IDLE_TASKS
    pump.rest()
    await turns(3)
    assert pump_tasks() == []


async def test_who_stands_in_line_again_lets_the_loop_have_its_turn() -> None:
    pump, made = MessagePump(), 0

    async def again(task: Task) -> None:
        nonlocal made
        made += 1
        if made < 1000:
            pump.put(again)

    pump.put(again)
    seen = 0
    while made < 1000:
        await asyncio.sleep(0)
        assert made - seen <= 1
        seen = made
    pump.rest()


async def test_what_a_step_leaves_in_a_context_variable_is_seen_by_no_other() -> None:
    pump, seen, variable = MessagePump(), list[str](), ContextVar("tests.variable", default="clean")

    async def leave(task: Task) -> None:
        seen.append(variable.get())
        variable.set("left")

    for _ in range(5):
        pump.put(leave)
    await turns(20)
    assert seen == ["clean"] * 5
    pump.rest()


async def test_a_step_that_is_cancelled_or_fails_takes_only_its_own_task_with_it() -> None:
    pump, made, heard = MessagePump(), list[str](), list[str]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: heard.append(str(context["exception"]))
    )

    async def cancel(task: Task) -> None:
        task.cancel()
        made.append("cancelled")

    async def fail(task: Task) -> None:
        raise RuntimeError("a step's own")

    async def go(task: Task) -> None:
        await asyncio.sleep(0)
        made.append("gone")

    for step in (cancel, go, fail, go, cancel, go):
        pump.put(step)
    await turns(30)
    assert sorted(made) == ["cancelled"] * 2 + ["gone"] * 3
    pump.rest()
    await turns(2)


async def test_what_is_called_afterwards_is_called_once_and_what_it_raises_stops_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pump, made = MessagePump(), list[str]()

    def trouble() -> None:
        raise RuntimeError("a session's own")

    async def go(task: Task) -> None:
        pump.afterwards(trouble)
        pump.afterwards(lambda: made.append("looked"))
        made.append("gone")

    for _ in range(2):
        pump.put(go)
        await turns(4)
    assert made == ["gone", "looked"] * 2
    assert len(caplog.records) == 2
    pump.rest()
    await turns(2)
