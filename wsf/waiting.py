"""What waits for one client, in order and in bounds, and what gives way when a bound is met.

No sockets and no time here: ``outbox.py`` writes what waits. The laws: order among kept messages is the order
of acceptance, but for ``latest``, whose newer value stands where the older one stood; nothing is dropped that
its operation has not declared so; the bounds hold at every moment, but for one message over ``max_bytes``.
"""

from collections import deque
from collections.abc import Hashable, Iterator
from enum import Enum
from typing import Any, Final

from wsf.delivery import DeliveryMode, Outlet

__all__ = ("Offer", "WaitingMessages")

#: dropped messages that may keep their place in the queue before it is swept: fewer are not worth the walk
SWEEP_AT: Final = 64


class Offer(Enum):
    """What became of a message."""

    ACCEPTED = "accepted"
    REPLACED = "replaced"  # an older one with the same key, in its place
    DROPPED = "dropped"
    REFUSED = "refused"  # there is no room, and its operation does not say that it may be dropped


class _Place:
    """Where a message waits whose operation keeps account of it; empty once it has been dropped."""

    __slots__ = ("frame", "key", "outlet")

    def __init__(self, frame: bytes, outlet: Outlet, key: Hashable) -> None:
        self.frame = frame
        self.outlet = outlet
        self.key = key


class _Account:
    """One operation's messages among those that wait."""

    __slots__ = ("by_key", "messages", "places", "size")

    def __init__(self) -> None:
        self.places: deque[_Place] = deque()  # of DROP_OLDEST, in order
        self.by_key: dict[Hashable, _Place] = {}  # of LATEST
        self.messages = 0
        self.size = 0


class WaitingMessages:
    """A queue of frames.

    Args:
        max_bytes, max_messages: The bounds. A larger message is accepted when nothing else waits.

    Attributes:
        size: Bytes that wait.
    """

    __slots__ = ("_accounts", "_dropped", "_items", "max_bytes", "max_messages", "size")

    def __init__(self, max_bytes: int, max_messages: int) -> None:
        self.max_bytes = max_bytes
        self.max_messages = max_messages
        self.size = 0
        self._items: list[bytes | _Place] = []  # no deque: an empty one takes ten times the memory
        self._accounts: dict[Outlet, _Account] | None = None  # most clients never need any
        self._dropped = 0

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._items) - self._dropped

    def __iter__(self) -> Iterator[bytes]:
        """The frames, in order."""
        frames = (item if isinstance(item, bytes) else item.frame for item in self._items)
        return (frame for frame in frames if frame)

    def has_room(self, size: int) -> bool:
        """Whether a frame of ``size`` bytes may wait, too."""
        count = len(self._items) - self._dropped
        return not count or (self.size + size <= self.max_bytes and count < self.max_messages)

    def fits(self, size: int, outlet: Outlet) -> bool:
        """Whether a frame of an operation may wait, too, by its own bounds as well."""
        account = self._accounts.get(outlet) if self._accounts else None
        return self.has_room(size) if account is None else self._fits(size, outlet, account)

    def put(self, frame: bytes) -> None:
        """Accept a frame. The caller has made sure that there is room."""
        self._items.append(frame)
        self.size += len(frame)

    def make_room(self, size: int) -> list[Outlet]:
        """Drop what has declared that it may be, oldest first, until a frame has room or nothing is left.

        Returns:
            The operation of each message dropped.
        """
        dropped: list[Outlet] = []
        for outlet, account in (self._accounts or {}).items():
            while account.places and not self.has_room(size):
                dropped.append(outlet)
                self._drop_oldest(outlet, account)
        return dropped

    def offer(self, frame: bytes, outlet: Outlet, key: Hashable = None) -> tuple[Offer, int]:
        """Put a frame where its operation's delivery says.

        Returns:
            What became of it, and how many of the operation's older messages were dropped for it.
        """
        if self._accounts is None:
            self._accounts = {}
        account = self._accounts.get(outlet) or self._accounts.setdefault(outlet, _Account())
        mode, older = outlet.delivery.mode, 0
        waiting = account.by_key.get(key) if mode is DeliveryMode.LATEST else None
        if waiting is not None and self._replace(waiting, frame, account):
            return Offer.REPLACED, 0
        while not self._fits(len(frame), outlet, account):
            if not (account.places and self._would_fit(len(frame), account)):
                is_loss = mode in (DeliveryMode.DROP_OLDEST, DeliveryMode.DROP_NEWEST)
                return (Offer.DROPPED if is_loss else Offer.REFUSED), older
            self._drop_oldest(outlet, account)
            older += 1
        place = _Place(frame, outlet, key)
        self._items.append(place)
        self.size += len(frame)
        account.messages += 1
        account.size += len(frame)
        if mode is DeliveryMode.DROP_OLDEST:
            account.places.append(place)
        elif mode is DeliveryMode.LATEST:
            account.by_key[key] = place
        return Offer.ACCEPTED, older

    def take(self, most: int) -> tuple[bytes, int]:
        """Take as many whole frames as ``most`` bytes hold, at least one, and how many they are."""
        items = self._items
        if self._accounts is None and self.size <= most:  # nearly always: all there is
            batch: Any = items  # without accounts there are no places
            self._items = []
            self.size = 0
        else:
            batch = self._some(most)
        return (batch[0] if len(batch) == 1 else b"".join(batch)), len(batch)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._items.clear()
        self._accounts = None
        self._dropped = 0
        self.size = 0

    def _some(self, most: int) -> list[bytes]:
        batch, size, count = list[bytes](), 0, 0
        for item in self._items:
            frame = item if isinstance(item, bytes) else item.frame
            if batch and size + len(frame) > most:
                break
            count += 1
            if not isinstance(item, bytes):
                self._taken(item)
            if frame:
                size += len(frame)
                batch.append(frame)
        del self._items[:count]
        self.size -= size
        if not self._items:
            self._accounts = None
        return batch

    def _taken(self, place: _Place) -> None:
        """A place leaves the queue at its front."""
        if not place.frame:
            self._dropped -= 1
            return
        account = (self._accounts or {})[place.outlet]
        account.messages -= 1
        account.size -= len(place.frame)
        if account.places:  # in order: it is the first
            account.places.popleft()
        account.by_key.pop(place.key, None)

    def _fits(self, size: int, outlet: Outlet, account: _Account) -> bool:
        if not self.has_room(size):
            return False
        if not account.messages:
            return True
        return not (
            (outlet.max_bytes is not None and account.size + size > outlet.max_bytes)
            or (outlet.max_messages is not None and account.messages >= outlet.max_messages)
        )

    def _would_fit(self, size: int, account: _Account) -> bool:
        """Whether there would be room without an operation's messages: else none of them goes in vain."""
        count = len(self) - account.messages
        return not count or (self.size - account.size + size <= self.max_bytes and count < self.max_messages)

    def _replace(self, place: _Place, frame: bytes, account: _Account) -> bool:
        """Put a newer value in an older one's place, unless it is too much larger."""
        more = len(frame) - len(place.frame)
        own = place.outlet.max_bytes
        is_too_much = self.size + more > self.max_bytes or (own is not None and account.size + more > own)
        if more > 0 and is_too_much and len(self) > 1:
            return False
        self.size += more
        account.size += more
        place.frame = frame
        return True

    def _drop_oldest(self, outlet: Outlet, account: _Account) -> None:
        place = account.places.popleft()
        self.size -= len(place.frame)
        account.size -= len(place.frame)
        account.messages -= 1
        place.frame = b""
        self._dropped += 1
        if self._dropped > SWEEP_AT and self._dropped * 2 > len(self._items):
            self._items = [item for item in self._items if isinstance(item, bytes) or item.frame]
            self._dropped = 0
