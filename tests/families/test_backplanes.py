"""Laws of every backplane in its folder: who publishes reaches all others of the topic, in order."""

import importlib
import pkgutil
from typing import Any, Protocol

import pytest

import wsf.backplanes
from wsf import callback_contract, operation_contract
from wsf.backplanes import Backplane, GroupCall
from wsf.reflection import describe

STEMS = [module.name for module in pkgutil.iter_modules(wsf.backplanes.__path__) if module.name[0] != "_"]


@callback_contract
class Screen(Protocol):
    @operation_contract(is_one_way=True)
    async def show(self, number: int) -> None: ...


class Member:
    """Who subscribes: what it has received is in ``numbers``."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def receive(self, call: GroupCall) -> None:
        assert (call.contract, call.operation) == (describe(Screen), "show")
        self.numbers += call.arguments


def call(number: int) -> GroupCall:
    return GroupCall(describe(Screen), "show", (number,))


@pytest.fixture(params=STEMS)
def backplane(request: pytest.FixtureRequest) -> Backplane:
    module: Any = importlib.import_module(f"wsf.backplanes.{request.param}")
    made: Backplane = getattr(module, f"{request.param.title().replace('_', '')}Backplane")()
    return made


def test_there_is_one() -> None:
    assert STEMS


async def test_all_of_a_topic_but_the_publisher_receive_in_order(backplane: Backplane) -> None:
    one, two, three, other = Member(), Member(), Member(), Member()
    for member in (one, two, three):
        backplane.subscribe("hall", member.receive)
    backplane.subscribe("kitchen", other.receive)
    for number in range(10):
        await backplane.publish("hall", call(number), one.receive)
    assert (one.numbers, other.numbers) == ([], [])
    assert two.numbers == three.numbers == list(range(10))
    await backplane.publish("hall", call(10))
    assert one.numbers == [10]


async def test_who_has_unsubscribed_receives_nothing(backplane: Backplane) -> None:
    one, two = Member(), Member()
    for member in (one, two):
        backplane.subscribe("hall", member.receive)
    backplane.unsubscribe("hall", one.receive)
    backplane.unsubscribe("hall", one.receive)
    backplane.unsubscribe("nowhere", one.receive)
    await backplane.publish("hall", call(1))
    assert (one.numbers, two.numbers) == ([], [1])


async def test_a_topic_without_subscribers_is_no_error(backplane: Backplane) -> None:
    await backplane.publish("nowhere", call(1))


async def test_who_leaves_while_it_is_told_leaves_the_others_their_turn(backplane: Backplane) -> None:
    heard: list[str] = []

    def leave(_: GroupCall) -> None:
        heard.append("one")
        backplane.unsubscribe("hall", leave)

    backplane.subscribe("hall", leave)
    backplane.subscribe("hall", lambda _: heard.append("two"))
    await backplane.publish("hall", call(1))
    await backplane.publish("hall", call(2))
    assert heard == ["one", "two", "two"]
