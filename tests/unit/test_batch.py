"""Laws of a batch: one join for all, each connection's order, and who falls behind is no other's trouble."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import FakeConnection
from wsf.batch import MAX_BATCH_MESSAGES, Batch
from wsf.counters import Meter
from wsf.delivery import Delivery, Outlet
from wsf.flushing import FlushSchedule
from wsf.outbox import MAX_WRITE_BYTES, Outbox

PLAIN = Outlet("C.say")
OLDEST = Outlet("C.tick", Delivery.DROP_OLDEST)


class Given:
    """Some outboxes, each over a connection of lists; all of one host."""

    def __init__(self, count: int = 2, **bounds: int) -> None:
        schedule = FlushSchedule()
        self.meter = Meter()
        self.connections = [FakeConnection() for _ in range(count)]
        self.slow: list[int] = []
        self.outboxes = [
            Outbox(
                connection,
                **{"max_bytes": 1000, "max_messages": 10, **bounds},
                send_timeout=float("inf"),
                on_slow=lambda _, number=number: self.slow.append(number),  # type: ignore[misc]
                meter=self.meter,
                schedule=schedule,
            )
            for number, connection in enumerate(self.connections)
        ]

    def batch(self, *numbers: int) -> Batch:
        batch = Batch()
        for number in numbers or range(len(self.outboxes)):
            batch.add(self.outboxes[number])
        return batch

    @property
    def written(self) -> list[bytes]:
        return [b"".join(connection.written) for connection in self.connections]


async def turn() -> None:
    await asyncio.sleep(0)


async def test_what_a_turn_puts_is_joined_once_and_written_once_to_each() -> None:
    room = Given(3)
    batch = room.batch()
    assert [batch.put(frame, PLAIN) for frame in (b"a", b"b", b"c")] == [3, 3, 3]
    assert room.written == [b""] * 3
    await turn()
    assert [connection.written for connection in room.connections] == [[b"abc"]] * 3
    first, second, third = (connection.written[0] for connection in room.connections)
    assert first is second is third
    assert (room.meter.messages_sent, room.meter.bytes_sent) == (9, 9)


async def test_who_joins_hears_what_comes_next_and_who_leaves_what_came_before() -> None:
    room = Given(2)
    batch = room.batch(0)
    batch.put(b"a", PLAIN)
    batch.add(room.outboxes[1])
    batch.put(b"b", PLAIN)
    batch.remove(room.outboxes[0])
    batch.put(b"c", PLAIN)
    await turn()
    assert room.written == [b"ab", b"bc"]


async def test_what_one_member_is_sent_keeps_its_place() -> None:
    room = Given(2)
    batch = room.batch()
    batch.put(b"a", PLAIN)
    room.outboxes[0].append(b"1")
    batch.put(b"b", PLAIN)
    room.outboxes[0].append(b"2")
    await turn()
    assert room.written == [b"a1b2", b"ab"]
    assert len(room.connections[0].written) == 1  # and still in one write


async def test_two_batches_do_not_overtake_one_another() -> None:
    room = Given(3)
    here, there = room.batch(0, 1), room.batch(1, 2)
    here.put(b"a", PLAIN)
    there.put(b"b", PLAIN)
    here.put(b"c", PLAIN)
    there.put(b"d", PLAIN)
    await turn()
    assert room.written == [b"ac", b"abcd", b"bd"]


async def test_a_full_batch_is_written_at_once() -> None:
    room = Given(1)
    batch = room.batch()
    half = MAX_WRITE_BYTES // 2
    for letter in (b"a", b"b"):
        batch.put(letter * half, PLAIN)
    assert room.written == [b""]  # exactly as much as one write holds
    batch.put(b"c", PLAIN)
    assert room.written == [b"a" * half + b"b" * half]


async def test_a_batch_holds_so_many_messages() -> None:
    room = Given(1)
    batch = room.batch()
    for _ in range(MAX_BATCH_MESSAGES):
        batch.put(b"x", PLAIN)
    assert room.written == [b""]
    batch.put(b"y", PLAIN)
    assert room.written == [b"x" * MAX_BATCH_MESSAGES]


async def test_who_falls_behind_has_its_own_bounds_and_comes_back() -> None:
    room = Given(2, max_messages=2)
    batch = room.batch()
    room.connections[0].is_full = True
    batch.put(b"a", PLAIN)
    await turn()
    assert [batch.put(frame, PLAIN) for frame in (b"b", b"c")] == [2, 2]
    await turn()
    assert room.written == [b"a", b"abc"]
    room.connections[0].read_all()
    assert batch.put(b"d", PLAIN) == 2
    await turn()
    assert room.written == [b"abcd", b"abcd"]
    assert room.slow == []


async def test_who_is_over_its_bound_is_cut_and_the_others_hear_everything() -> None:
    room = Given(2, max_messages=2)
    batch = room.batch()
    room.connections[0].is_full = True
    batch.put(b"a", PLAIN)
    await turn()
    assert [batch.put(frame, PLAIN) for frame in (b"b", b"c", b"d", b"e")] == [2, 2, 1, 1]
    await turn()
    assert room.slow == [0]
    assert len(batch) == 1
    assert room.written == [b"a", b"abcde"]


async def test_who_is_cut_in_two_batches_is_no_trouble_of_the_others() -> None:
    room = Given(3, max_messages=2)
    here, there = room.batch(0, 1), room.batch(0, 1, 2)
    for _ in range(3):
        here.put(b"a", PLAIN)
    room.outboxes[0].is_blocked = True
    assert there.put(b"b", PLAIN) == 2
    await turn()
    assert room.slow == [0]
    assert (len(here), len(there)) == (1, 2)
    assert room.written == [b"", b"aaab", b"b"]


async def test_for_who_is_behind_its_operation_decides() -> None:
    room = Given(2, max_messages=2)
    batch = room.batch()
    room.connections[0].is_full = True
    batch.put(b"a", OLDEST)
    await turn()
    assert [batch.put(frame, OLDEST) for frame in (b"b", b"c", b"d")] == [2, 2, 2]
    await turn()
    room.connections[0].read_all()
    assert room.written == [b"acd", b"abcd"]
    assert room.meter.messages_dropped == {("C.tick", "oldest"): 1}


async def test_who_is_about_to_close_gets_what_was_accepted_for_all() -> None:
    room = Given(2)
    batch = room.batch()
    batch.put(b"a", PLAIN)
    room.connections[0].drained()  # the transport's, before it answers a close frame
    assert room.written == [b"a", b""]
    await turn()
    assert room.written == [b"a", b"a"]


async def test_a_closed_outbox_is_no_member() -> None:
    room = Given(2)
    batch = room.batch()
    batch.put(b"a", PLAIN)
    room.outboxes[0].close()
    assert len(batch) == 1
    assert batch.put(b"b", PLAIN) == 1
    await turn()
    assert room.written == [b"", b"ab"]


members = st.integers(0, 2)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 1)),
        st.tuples(st.just("send"), members),
        st.tuples(st.just("join"), members, st.integers(0, 1)),
        st.tuples(st.just("leave"), members, st.integers(0, 1)),
        st.tuples(st.just("stall"), members),
        st.tuples(st.just("take"), members),
        st.tuples(st.just("turn")),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_happens_each_member_gets_its_own_in_order(script: list[Any]) -> None:
    async def play() -> None:
        room = Given(3, max_messages=1000)
        batches = [Batch(), Batch()]
        inside: list[set[int]] = [set(), set()]
        expected = [b"", b"", b""]
        for number, (what, *args) in enumerate(script):
            frame = b"<%d>" % number
            if what == "put":
                batches[args[0]].put(frame, PLAIN)
                for member in inside[args[0]]:
                    expected[member] += frame
            elif what == "send":
                room.outboxes[args[0]].append(frame)
                expected[args[0]] += frame
            elif what == "join" and args[0] not in inside[args[1]]:
                batches[args[1]].add(room.outboxes[args[0]])
                inside[args[1]].add(args[0])
            elif what == "leave":
                batches[args[1]].remove(room.outboxes[args[0]])
                inside[args[1]].discard(args[0])
            elif what == "stall":
                room.connections[args[0]].is_full = True
            elif what == "take":
                room.connections[args[0]].read_all()
            elif what == "turn":
                await turn()
            assert [len(batch) for batch in batches] == [len(some) for some in inside]
        await turn()
        for connection in room.connections:
            connection.read_all()
        assert room.written == expected

    asyncio.run(play())
