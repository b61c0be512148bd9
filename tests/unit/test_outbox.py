"""Laws of the outbox: order, one write a turn, bounds at n-1, n, n+1, and who is given up when."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clock import Clock
from tests.doubles import DEADLINE, FakeConnection
from wsf.errors import SlowClientError
from wsf.outbox import MAX_WRITE_BYTES, Outbox


class Given:
    """An outbox over a connection of lists."""

    def __init__(self, **bounds: Any) -> None:
        self.connection = FakeConnection()
        self.reasons: list[SlowClientError] = []
        settings = {"max_bytes": 1000, "max_messages": 10, "send_timeout": float("inf"), **bounds}
        self.outbox = Outbox(self.connection, on_slow=self.reasons.append, **settings)

    def stall(self) -> None:
        """The socket takes one write, and then no more."""
        self.connection.is_full = True
        self.outbox.append(b"s")
        self.outbox.flush()


async def turn() -> None:
    """One turn of the event loop."""
    await asyncio.sleep(0)


async def test_append_does_not_write_in_the_same_turn() -> None:
    box = Given()
    box.outbox.append(b"a")
    assert box.connection.written == []
    await turn()
    assert box.connection.written == [b"a"]


async def test_what_one_turn_appends_goes_out_in_one_write_in_order() -> None:
    box = Given()
    for letter in (b"a", b"b", b"c"):
        box.outbox.append(letter)
    await turn()
    assert box.connection.written == [b"abc"]


async def test_nothing_is_written_to_a_full_socket_until_it_is_drained() -> None:
    box = Given()
    box.stall()
    box.outbox.append(b"a")
    box.outbox.append(b"b")
    await turn()
    assert box.connection.written == [b"s"]
    box.connection.read_all()
    assert box.connection.written == [b"s", b"ab"]


@pytest.mark.parametrize(("waiting", "is_slow"), [(9, False), (10, False), (11, True)])
async def test_as_many_messages_wait_as_the_bound_says(waiting: int, is_slow: bool) -> None:
    box = Given(max_messages=10)
    box.stall()
    for _ in range(waiting):
        box.outbox.append(b"x")
    assert bool(box.reasons) is is_slow


@pytest.mark.parametrize(("size", "is_slow"), [(499, False), (500, False), (501, True)])
async def test_as_many_bytes_wait_as_the_bound_says(size: int, is_slow: bool) -> None:
    box = Given(max_bytes=1000)
    box.stall()
    box.outbox.append(b"x" * 500)
    box.outbox.append(b"x" * size)
    assert bool(box.reasons) is is_slow


async def test_a_message_over_the_bound_is_accepted_when_nothing_waits() -> None:
    box = Given(max_bytes=10)
    box.stall()
    box.outbox.append(b"x" * 11)
    assert box.reasons == []
    box.outbox.append(b"x")
    assert "maxBytes" in str(box.reasons[0])


async def test_a_burst_in_one_turn_is_no_sign_of_a_slow_client() -> None:
    box = Given(max_messages=10)
    for _ in range(100):
        box.outbox.append(b"x")
    await turn()
    assert box.reasons == []
    assert b"".join(box.connection.written) == b"x" * 100


async def test_a_client_is_given_up_once_and_gets_nothing_more() -> None:
    box = Given(max_messages=1)
    box.stall()
    for _ in range(5):
        box.outbox.append(b"x")
    box.connection.read_all()
    await turn()
    assert len(box.reasons) == 1
    assert "maxMessages" in str(box.reasons[0])
    assert box.connection.written == [b"s"]
    assert (len(box.outbox), box.outbox.size) == (0, 0)


@pytest.mark.parametrize(("size", "writes"), [(MAX_WRITE_BYTES // 2, 1), (MAX_WRITE_BYTES // 2 + 1, 2)])
async def test_a_write_holds_at_most_64_kib_of_whole_messages(size: int, writes: int) -> None:
    box = Given(max_bytes=10**7)
    box.outbox.append(b"a" * size)
    box.outbox.append(b"b" * size)
    await turn()
    assert len(box.connection.written) == writes


@pytest.mark.parametrize(("seconds", "is_slow"), [(590, False), (600, True)])
async def test_a_client_that_takes_nothing_for_send_timeout_is_given_up(
    seconds: float, is_slow: bool, clock: Clock
) -> None:
    box = Given(send_timeout=600)
    box.stall()
    await clock.elapse(seconds)
    assert ["sendTimeout" in str(reason) for reason in box.reasons] == [True] * is_slow
    box.outbox.close()


async def test_a_client_that_takes_a_little_is_not_given_up(clock: Clock) -> None:
    box = Given(send_timeout=600)
    box.stall()
    for _ in range(5):
        box.connection.unsent -= 1
        await clock.elapse(400)
    assert box.reasons == []
    await clock.elapse(600)
    assert len(box.reasons) == 1


async def test_what_others_write_is_no_progress_of_the_client(clock: Clock) -> None:
    """TLS answers a key update by itself: a client that sends them and reads nothing is stuck."""
    box = Given(send_timeout=600)
    box.stall()
    for _ in range(3):
        box.connection.unsent += 1
        await clock.elapse(250)
    assert [reason.is_timeout for reason in box.reasons] == [True]


async def test_drain_waits_until_the_socket_has_everything() -> None:
    box = Given()
    box.stall()
    box.outbox.append(b"a")
    draining = asyncio.create_task(box.outbox.drain())
    await turn()
    assert not draining.done()
    box.connection.read_all()
    await draining
    assert box.connection.written == [b"s", b"a"]


async def test_drain_of_a_closed_outbox_returns() -> None:
    box = Given()
    box.stall()
    draining = asyncio.create_task(box.outbox.drain())
    await turn()
    box.outbox.close()
    await draining


async def test_the_most_that_ever_waited_is_remembered() -> None:
    box = Given()
    for _ in range(3):
        box.outbox.append(b"xx")
    await turn()
    assert (box.outbox.messages_most, box.outbox.size_most) == (3, 6)
    assert (len(box.outbox), box.outbox.size) == (0, 0)


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from(["turn", "stall", "take"]))))
def test_whatever_happens_what_is_written_is_a_prefix_of_what_was_appended(steps: list[Any]) -> None:
    async def play() -> None:
        box = Given(max_bytes=200, max_messages=8)
        appended = b""
        for step in steps:
            if step == "turn":
                await turn()
            elif step == "stall":
                box.connection.is_full = True
            elif step == "take":
                box.connection.read_all()
            else:
                box.outbox.append(step)
                appended += step
            assert box.outbox.size <= 200 or len(box.outbox) == 1
            assert len(box.outbox) <= 8
        box.connection.read_all()
        await turn()
        written = b"".join(box.connection.written)
        assert appended.startswith(written) if box.reasons else appended == written
        box.outbox.close()

    asyncio.run(play())


@pytest.mark.parametrize(("messages", "is_filling"), [(4, False), (5, False), (6, True)])
async def test_over_half_of_its_bound_in_messages_it_is_filling(messages: int, is_filling: bool) -> None:
    box = Given(max_messages=10)
    box.stall()
    for _ in range(messages):
        box.outbox.append(b"a")
    assert box.outbox.is_filling is is_filling


@pytest.mark.parametrize(("size", "is_filling"), [(499, False), (500, False), (501, True)])
async def test_over_half_of_its_bound_in_bytes_it_is_filling(size: int, is_filling: bool) -> None:
    box = Given(max_bytes=1000)
    box.stall()
    box.outbox.append(b"a" * size)
    assert box.outbox.is_filling is is_filling


@pytest.mark.parametrize("ends_by", ["taking", "closing"])
async def test_who_fills_it_waits_until_the_client_takes_something_or_is_gone(ends_by: str) -> None:
    box = Given(max_bytes=1000)
    box.stall()
    box.outbox.append(b"a" * 501)
    waiting = asyncio.create_task(box.outbox.relieve())
    await turn()
    assert not waiting.done()
    if ends_by == "taking":
        box.connection.read_all()
    else:
        box.outbox.close()
    async with asyncio.timeout(DEADLINE):
        await waiting


async def test_who_does_not_fill_it_does_not_wait() -> None:
    box = Given()
    box.stall()
    box.outbox.append(b"a")
    async with asyncio.timeout(DEADLINE):
        await box.outbox.relieve()
