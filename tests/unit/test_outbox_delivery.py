"""Laws of an outbox over its bound: a message gives way as its operation says, and that is counted."""

import asyncio
from typing import Any

import pytest

from tests.doubles import FakeConnection
from wsf.counters import Meter
from wsf.delivery import Delivery, Outlet
from wsf.errors import SlowClientError
from wsf.flushing import FlushSchedule
from wsf.outbox import Outbox

SAY = Outlet("C.say")
OLDEST = Outlet("C.oldest", Delivery.DROP_OLDEST)
NEWEST = Outlet("C.newest", Delivery.DROP_NEWEST)
PRICE = Outlet("C.price", Delivery.latest("symbol"))
PATIENT = Outlet("C.patient", Delivery.block(60))


class Given:
    """An outbox of three messages over a socket that takes nothing any more."""

    def __init__(self, *, is_stalled: bool = True, linger: float = 0.0) -> None:
        self.connection = FakeConnection()
        self.meter = Meter()
        self.errors: list[SlowClientError] = []
        self.outbox = Outbox(
            self.connection,
            max_bytes=1000,
            max_messages=3,
            send_timeout=float("inf"),
            on_slow=self.errors.append,
            meter=self.meter,
            schedule=FlushSchedule(linger),
        )
        if is_stalled:
            self.connection.is_full = True
            self.outbox.append(b"-")
            self.outbox.flush()

    def taken(self) -> bytes:
        """All that the client gets, once it reads again."""
        self.connection.read_all()
        return b"".join(self.connection.written)


async def test_a_client_that_keeps_up_gets_everything_whatever_the_delivery() -> None:
    given = Given(is_stalled=False)
    for number, outlet in enumerate([SAY, OLDEST, NEWEST, PRICE] * 5):
        assert given.outbox.deliver(b"%d" % (number % 10), outlet, number)
    await asyncio.sleep(0)
    assert given.taken() == b"0123456789" * 2
    assert given.meter.messages_dropped == {}


async def test_drop_oldest() -> None:
    given = Given()
    assert all(given.outbox.deliver(b"%d" % number, OLDEST) for number in range(5))
    assert given.taken() == b"-234"
    assert given.meter.messages_dropped == {("C.oldest", "oldest"): 2}
    assert given.errors == []


async def test_drop_newest() -> None:
    given = Given()
    assert [given.outbox.deliver(b"%d" % number, NEWEST) for number in range(5)] == [True] * 3 + [False] * 2
    assert given.taken() == b"-012"
    assert given.meter.messages_dropped == {("C.newest", "newest"): 2}


async def test_latest_replaces_in_place() -> None:
    given = Given()
    for key, value in (("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4"), ("b", b"5")):
        assert given.outbox.deliver(value, PRICE, key)
    assert given.taken() == b"-354"
    assert given.meter.messages_dropped == {("C.price", "replaced"): 2}


async def test_latest_with_more_keys_than_room_is_cut() -> None:
    given = Given()
    assert [given.outbox.deliver(b"x", PRICE, key) for key in range(4)] == [True] * 3 + [False]
    assert [error.operation for error in given.errors] == ["C.price"]


async def test_what_may_be_dropped_makes_room_for_what_may_not() -> None:
    given = Given()
    for number in range(3):
        given.outbox.deliver(b"%d" % number, OLDEST)
    for letter in (b"a", b"b", b"c"):
        assert given.outbox.deliver(letter, SAY)
    assert not given.outbox.deliver(b"3", OLDEST)  # nothing of its own is left to drop
    assert given.taken() == b"-abc"
    assert given.errors == []
    assert given.meter.messages_dropped == {("C.oldest", "oldest"): 3, ("C.oldest", "newest"): 1}


async def test_what_must_arrive_cuts_who_has_no_room_and_says_for_what() -> None:
    given = Given()
    assert [given.outbox.deliver(b"x", SAY) for _ in range(4)] == [True] * 3 + [False]
    assert [(error.operation, error.is_timeout) for error in given.errors] == [("C.say", False)]
    assert "maxMessages" in str(given.errors[0])
    assert not given.outbox.deliver(b"x", OLDEST)
    assert len(given.outbox) == 0


async def test_operations_of_one_connection_keep_their_order() -> None:
    given = Given()
    given.outbox.max_messages = 6
    for number, outlet in enumerate([SAY, OLDEST, NEWEST, SAY, OLDEST, PRICE, OLDEST, NEWEST]):
        given.outbox.deliver(b"%d" % number, outlet)
    assert given.taken() == b"-023456"


async def test_a_message_over_its_operations_own_bound_names_it() -> None:
    given = Given()
    tight = Outlet("C.tight", max_messages=1)
    assert given.outbox.deliver(b"1", tight)
    assert not given.outbox.deliver(b"2", tight)
    assert "C.tight" in str(given.errors[0])


class TestBlock:
    async def test_the_caller_waits_for_room_and_all_in_their_order(self) -> None:
        given = Given()
        for number in range(3):
            given.outbox.append(b"%d" % number)
        callers = []
        for number in range(3, 7):
            callers.append(asyncio.create_task(given.outbox.deliver_in_time(b"%d" % number, PATIENT)))
            await asyncio.sleep(0)
        assert not any(caller.done() for caller in callers)
        assert given.outbox.is_awaited
        given.connection.read_all()
        assert await asyncio.gather(*callers) == [True] * 4
        await asyncio.sleep(0)
        assert given.taken() == b"-0123456"
        assert given.errors == []

    async def test_an_operations_own_bound_is_waited_for_as_well(self) -> None:
        given = Given()
        few = Outlet("C.few", Delivery.block(60), max_messages=1)
        assert await given.outbox.deliver_in_time(b"1", few)
        second = asyncio.create_task(given.outbox.deliver_in_time(b"2", few))
        await asyncio.sleep(0)
        assert not second.done()  # there is room for two more, but not for two of these
        assert given.outbox.append(b"p")
        given.connection.read_all()
        assert await second is True
        await asyncio.sleep(0)
        assert given.taken() == b"-1p2"

    async def test_then_the_client_is_cut(self) -> None:
        given = Given()
        for _ in range(3):
            given.outbox.append(b"x")
        impatient = Outlet("C.impatient", Delivery.block(0.01))
        assert await given.outbox.deliver_in_time(b"y", impatient) is False
        assert [error.operation for error in given.errors] == ["C.impatient"]
        assert "block" in str(given.errors[0])

    async def test_who_is_cancelled_leaves_the_others_their_turn(self) -> None:
        given = Given()
        for _ in range(3):
            given.outbox.append(b"x")
        first = asyncio.create_task(given.outbox.deliver_in_time(b"1", PATIENT))
        await asyncio.sleep(0)
        second = asyncio.create_task(given.outbox.deliver_in_time(b"2", PATIENT))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        given.connection.read_all()
        assert await second is True
        await asyncio.sleep(0)
        assert given.taken() == b"-xxx2"

    async def test_who_waits_when_the_client_goes_is_told(self) -> None:
        given = Given()
        for _ in range(3):
            given.outbox.append(b"x")
        caller = asyncio.create_task(given.outbox.deliver_in_time(b"1", PATIENT))
        await asyncio.sleep(0)
        given.outbox.close()
        assert await caller is False


async def test_linger_gathers_what_comes_later_and_a_full_outbox_does_not_wait_for_it() -> None:
    given = Given(is_stalled=False, linger=0.02)
    given.outbox.append(b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert given.connection.written == []
    given.outbox.append(b"b")
    async with asyncio.timeout(10):
        while not given.connection.written:
            await asyncio.sleep(0.001)
    assert given.connection.written == [b"ab"]
    for _ in range(4):
        given.outbox.append(b"x")
    assert given.connection.written == [b"ab", b"xxx"]


async def test_the_most_that_waited_is_known_while_it_waits() -> None:
    given: Any = Given()
    for _ in range(3):
        given.outbox.append(b"xx")
    assert (given.outbox.messages_most, given.outbox.size_most) == (3, 6)
