"""What many clients are sent together: joined once, written to each at the end of the loop's turn.

A client that falls behind leaves the batch, and has its own outbox, bounds and policies; it comes back when
it has caught up. Order on each connection is the order of acceptance, whatever else it is sent meanwhile.
"""

import asyncio
from collections.abc import Hashable
from typing import Final

from wsf.delivery import Outlet
from wsf.outbox import MAX_WRITE_BYTES, Outbox

__all__ = ("Batch",)

#: messages in one write: as many as an outbox holds by default
MAX_BATCH_MESSAGES: Final = 1024


#: a frame, what else may become of it, and what a newer one replaces it by
_Item = tuple[bytes, Outlet, Hashable]


class Batch:
    """The frames of one turn for all of its members. All members have the same wire: encoding and framing."""

    __slots__ = ("_ahead", "_behind", "_elsewhere", "_items", "_members", "_size")

    def __init__(self) -> None:
        self._members: dict[Outbox, None] = {}
        self._behind: dict[Outbox, None] = {}
        self._elsewhere: dict[Outbox, None] = {}  # members of other batches, too
        self._items: list[_Item] = []
        self._size = 0
        self._ahead: dict[Outbox, int] = {}  # how many items a member has already

    def __len__(self) -> int:
        """Members."""
        return len(self._members) + len(self._behind)

    def add(self, outbox: Outbox) -> None:
        """A member, from the next frame on."""
        if self._items:
            self._ahead[outbox] = len(self._items)
        self._members[outbox] = None
        outbox.shared += (self,)
        self._note_sharing(outbox)

    def remove(self, outbox: Outbox) -> None:
        """A member no more; it gets what has been accepted for it. Nothing happens if it is none."""
        if outbox not in self._members and outbox not in self._behind:
            return
        self.bring_up(outbox)
        self._members.pop(outbox, None)
        self._behind.pop(outbox, None)
        self._ahead.pop(outbox, None)
        self._elsewhere.pop(outbox, None)
        outbox.shared = tuple(shared for shared in outbox.shared if shared is not self)
        self._note_sharing(outbox)

    def put(self, frame: bytes, outlet: Outlet, key: Hashable = None) -> int:
        """Accept a frame for every member; how many it was accepted for. The others' operation dropped it."""
        if self._elsewhere:
            self._bring_up_elsewhere()
        size = self._size + len(frame)
        if size > MAX_WRITE_BYTES or len(self._items) >= MAX_BATCH_MESSAGES:
            self.flush(asyncio.get_running_loop().time())
            size = len(frame)
        accepted = self._put_behind(frame, outlet, key) if self._behind else 0
        members = self._members
        if not members:
            return accepted
        if not self._items:
            next(iter(members)).schedule.add_batch(self)
        self._items.append((frame, outlet, key))
        self._size = size
        return accepted + len(members)

    def _bring_up_elsewhere(self) -> None:
        """What other batches have accepted for members of this one comes first."""
        for outbox in tuple(self._elsewhere):  # who has no room is cut, and leaves meanwhile
            for other in outbox.shared:
                if other is not self:
                    other.bring_up(outbox)

    def _put_behind(self, frame: bytes, outlet: Outlet, key: Hashable) -> int:
        """Accept a frame for those who have fallen behind; who has caught up comes back instead."""
        accepted = 0
        for outbox in tuple(self._behind):
            if outbox.is_clear:
                self._come_back(outbox)
            else:
                accepted += outbox.deliver(frame, outlet, key)
        return accepted

    def bring_up(self, outbox: Outbox) -> None:
        """See ``Shared``."""
        count = len(self._items)
        if count and outbox in self._members:
            start = self._ahead.get(outbox, 0)
            self._ahead[outbox] = count
            for item in self._items[start:]:
                outbox.deliver(*item)

    def flush(self, now: float) -> None:
        """Write to every member what it has not got."""
        items, self._items, self._size = self._items, [], 0
        ahead, self._ahead = self._ahead, {}
        if not items:
            return
        data = items[0][0] if len(items) == 1 else b"".join([frame for frame, _, _ in items])
        for outbox in tuple(self._members):
            if outbox.is_clear and outbox not in ahead:
                if not outbox.write_shared(data, len(items), now):
                    self._fall_behind(outbox)
            else:
                for item in items[ahead.get(outbox, 0) :]:
                    outbox.deliver(*item)
                if outbox.is_blocked:
                    self._fall_behind(outbox)

    def _fall_behind(self, outbox: Outbox) -> None:
        if self._members.pop(outbox, self) is None:
            self._behind[outbox] = None

    def _come_back(self, outbox: Outbox) -> None:
        del self._behind[outbox]
        self._members[outbox] = None
        if self._items:
            self._ahead[outbox] = len(self._items)

    def _note_sharing(self, outbox: Outbox) -> None:
        """Know who is in several batches: what these send it must not overtake one another."""
        for shared in outbox.shared:
            if isinstance(shared, Batch):
                if len(outbox.shared) > 1:
                    shared._elsewhere[outbox] = None
                else:
                    shared._elsewhere.pop(outbox, None)
