"""Laws of what waits: order, bounds at n-1, n, n+1, and what each delivery gives up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsf.delivery import Delivery, DeliveryMode, Outlet
from wsf.waiting import SWEEP_AT, Offer, WaitingMessages

OLDEST = Outlet("C.oldest", Delivery.DROP_OLDEST)
NEWEST = Outlet("C.newest", Delivery.DROP_NEWEST)
LATEST = Outlet("C.latest", Delivery.latest("key"))
PLAIN = Outlet("C.plain")
FEW = Outlet("C.few", Delivery.DROP_OLDEST, max_messages=2, max_bytes=30)


def test_frames_come_out_in_the_order_they_were_put() -> None:
    waiting = WaitingMessages(1000, 10)
    for frame in (b"a", b"bb", b"c"):
        waiting.put(frame)
    assert (len(waiting), waiting.size, list(waiting)) == (3, 4, [b"a", b"bb", b"c"])
    assert waiting.take(1000) == (b"abbc", 3)
    assert (len(waiting), waiting.size) == (0, 0)


@pytest.mark.parametrize(
    ("most", "taken"), [(3, b"aaa"), (5, b"aaa"), (6, b"aaabbb"), (7, b"aaabbb"), (1, b"aaa")]
)
def test_whole_frames_are_taken_and_at_least_one(most: int, taken: bytes) -> None:
    waiting = WaitingMessages(1000, 10)
    for frame in (b"aaa", b"bbb", b"ccc"):
        waiting.put(frame)
    assert waiting.take(most)[0] == taken


@pytest.mark.parametrize(("waits", "has_room"), [(9, True), (10, False), (11, False)])
def test_room_for_so_many_messages(waits: int, has_room: bool) -> None:
    waiting = WaitingMessages(1000, 10)
    for _ in range(waits):
        waiting.put(b"x")
    assert waiting.has_room(1) is has_room


@pytest.mark.parametrize(("size", "has_room"), [(59, True), (60, True), (61, False)])
def test_room_for_so_many_bytes(size: int, has_room: bool) -> None:
    waiting = WaitingMessages(100, 10)
    waiting.put(b"x" * 40)
    assert waiting.has_room(size) is has_room


def test_a_message_over_the_bound_has_room_when_nothing_waits() -> None:
    assert WaitingMessages(10, 1).has_room(1000)


def test_drop_oldest_drops_its_own_oldest_and_leaves_the_others() -> None:
    waiting = WaitingMessages(1000, 4)
    waiting.put(b"p")
    assert waiting.offer(b"1", OLDEST) == (Offer.ACCEPTED, 0)
    waiting.put(b"q")
    assert waiting.offer(b"2", OLDEST) == (Offer.ACCEPTED, 0)
    assert waiting.offer(b"3", OLDEST) == (Offer.ACCEPTED, 1)
    assert list(waiting) == [b"p", b"q", b"2", b"3"]
    assert waiting.offer(b"x" * 999, OLDEST) == (Offer.DROPPED, 0)  # no room even without 2 and 3
    assert list(waiting) == [b"p", b"q", b"2", b"3"]


def test_drop_newest_leaves_what_waits() -> None:
    waiting = WaitingMessages(1000, 2)
    assert waiting.offer(b"1", NEWEST) == (Offer.ACCEPTED, 0)
    waiting.put(b"p")
    assert waiting.offer(b"2", NEWEST) == (Offer.DROPPED, 0)
    assert list(waiting) == [b"1", b"p"]


def test_latest_takes_the_place_of_the_value_with_its_key() -> None:
    waiting = WaitingMessages(1000, 3)
    waiting.offer(b"a1", LATEST, "a")
    waiting.put(b"p")
    waiting.offer(b"b1", LATEST, "b")
    assert waiting.offer(b"a22", LATEST, "a") == (Offer.REPLACED, 0)
    assert list(waiting) == [b"a22", b"p", b"b1"]
    assert waiting.size == len(b"a22pb1")
    assert waiting.offer(b"c1", LATEST, "c") == (Offer.REFUSED, 0)
    waiting.take(3)
    assert waiting.offer(b"a3", LATEST, "a") == (Offer.ACCEPTED, 0)  # a22 has gone: nothing to replace
    assert list(waiting) == [b"p", b"b1", b"a3"]


@pytest.mark.parametrize(("size", "offer"), [(9, Offer.REPLACED), (10, Offer.REPLACED), (11, Offer.REFUSED)])
def test_a_larger_value_replaces_within_the_bound(size: int, offer: Offer) -> None:
    waiting = WaitingMessages(20, 5)
    waiting.put(b"p" * 10)
    waiting.offer(b"v", LATEST, "k")
    assert waiting.offer(b"v" * size, LATEST, "k") == (offer, 0)


def test_a_value_alone_may_be_larger_than_the_bound() -> None:
    waiting = WaitingMessages(5, 5)
    waiting.offer(b"v", LATEST, "k")
    assert waiting.offer(b"v" * 50, LATEST, "k") == (Offer.REPLACED, 0)


@pytest.mark.parametrize(("before", "dropped"), [(1, 0), (2, 1), (3, 1)])
def test_an_operations_own_bound_in_messages(before: int, dropped: int) -> None:
    waiting = WaitingMessages(1000, 100)
    for _ in range(before):
        waiting.offer(b"x", FEW)
    assert waiting.offer(b"y", FEW) == (Offer.ACCEPTED, dropped)
    assert len(waiting) <= 2


@pytest.mark.parametrize(("size", "dropped"), [(19, 0), (20, 0), (21, 1)])
def test_an_operations_own_bound_in_bytes(size: int, dropped: int) -> None:
    waiting = WaitingMessages(1000, 100)
    waiting.offer(b"x" * 10, FEW)
    assert waiting.offer(b"y" * size, FEW) == (Offer.ACCEPTED, dropped)


def test_room_is_made_of_what_may_be_dropped_and_of_nothing_else() -> None:
    waiting = WaitingMessages(1000, 5)
    for frame, outlet in ((b"n", NEWEST), (b"1", OLDEST), (b"l", LATEST), (b"2", OLDEST)):
        waiting.offer(frame, outlet)
    waiting.put(b"p")
    assert waiting.make_room(1) == [OLDEST]
    assert list(waiting) == [b"n", b"l", b"2", b"p"]
    assert waiting.make_room(2000) == [OLDEST]
    assert list(waiting) == [b"n", b"l", b"p"]


def test_what_was_dropped_does_not_pile_up() -> None:
    waiting = WaitingMessages(1000, 2)
    waiting.put(b"p")
    for _ in range(10 * SWEEP_AT):
        waiting.offer(b"x", OLDEST)
    assert len(waiting) == 2
    assert len(waiting._items) <= 2 * SWEEP_AT + 4


def test_when_nothing_waits_nothing_is_remembered() -> None:
    waiting = WaitingMessages(1000, 3)
    for key in range(3):
        waiting.offer(b"x", LATEST, key)
    waiting.take(1000)
    assert waiting._accounts is None


class Oracle:
    """The same, as slowly and plainly as can be: a list of (number, size, outlet, key)."""

    def __init__(self, max_bytes: int, max_messages: int) -> None:
        self.max_bytes, self.max_messages = max_bytes, max_messages
        self.items: list[tuple[bytes, Outlet, Any]] = []

    def fits(self, size: int, outlet: Outlet) -> bool:
        own = [frame for frame, of, _ in self.items if of is outlet]
        total = sum(len(frame) for frame, _, _ in self.items)
        if self.items and (total + size > self.max_bytes or len(self.items) >= self.max_messages):
            return False
        return not own or not (
            (outlet.max_bytes is not None and sum(map(len, own)) + size > outlet.max_bytes)
            or (outlet.max_messages is not None and len(own) >= outlet.max_messages)
        )

    def offer(self, frame: bytes, outlet: Outlet, key: Any) -> Offer:
        mode = outlet.delivery.mode
        if mode is DeliveryMode.LATEST:
            for index, (old, of, known) in enumerate(self.items):
                if of is outlet and known == key:
                    total = sum(len(one) for one, _, _ in self.items) - len(old) + len(frame)
                    if len(frame) <= len(old) or total <= self.max_bytes or len(self.items) == 1:
                        self.items[index] = (frame, outlet, key)
                        return Offer.REPLACED
        others = [one for one, of, _ in self.items if of is not outlet]
        would_fit = not others or (
            sum(map(len, others)) + len(frame) <= self.max_bytes and len(others) < self.max_messages
        )
        while not self.fits(len(frame), outlet):
            oldest = next((i for i, (_, of, _) in enumerate(self.items) if of is outlet), None)
            if mode is not DeliveryMode.DROP_OLDEST or oldest is None or not would_fit:
                is_loss = mode in (DeliveryMode.DROP_OLDEST, DeliveryMode.DROP_NEWEST)
                return Offer.DROPPED if is_loss else Offer.REFUSED
            del self.items[oldest]
        self.items.append((frame, outlet, key))
        return Offer.ACCEPTED

    def take(self, most: int) -> bytes:
        taken = b""
        while self.items and (not taken or len(taken) + len(self.items[0][0]) <= most):
            taken += self.items.pop(0)[0]
        return taken


offers = st.tuples(
    st.sampled_from([OLDEST, NEWEST, LATEST, FEW, PLAIN]), st.integers(1, 40), st.sampled_from("abc")
)


@given(st.lists(st.one_of(offers, st.integers(1, 120)), max_size=60))
def test_it_does_what_a_plain_list_does(steps: list[Any]) -> None:
    waiting, oracle, number = WaitingMessages(100, 6), Oracle(100, 6), 0
    for step in steps:
        if isinstance(step, int):
            assert waiting.take(step)[0] == oracle.take(step)
        else:
            outlet, size, key = step
            number += 1
            frame = (b"%d" % number).ljust(size, b".")
            key = key if outlet is LATEST else None
            if outlet is PLAIN:
                if waiting.has_room(len(frame)):
                    waiting.put(frame)
                    assert oracle.offer(frame, outlet, key) is Offer.ACCEPTED
            else:
                assert waiting.offer(frame, outlet, key)[0] is oracle.offer(frame, outlet, key)
        assert list(waiting) == [frame for frame, _, _ in oracle.items]
        assert (len(waiting), waiting.size) == (len(oracle.items), sum(map(len, waiting)))
        assert (waiting.size <= 100 and len(waiting) <= 6) or len(waiting) == 1
