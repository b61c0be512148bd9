"""Correlation: which reply belongs to which of our calls to one client.

The law: a reply ends the wait of exactly one call, or of none; every call ends, at the latest with its
session. WCF: RequestReplyCorrelator, DuplexChannelBinder.
"""

import asyncio
from collections.abc import Callable, Iterator

from attrs import define, field

from wsf.concurrency import Turn
from wsf.errors import InvalidOperationError
from wsf.message import CANCEL_ACTION, OWN_ID_PREFIX, Message

__all__ = ("PendingCall", "PendingCalls")


@define(eq=False)
class PendingCall:
    """A call to the client that waits for its answer.

    Attributes:
        message_id: What the reply will relate to.
        operation: Its name, for messages to the service's author.
        turn: The operation that makes it; None for a task that serves no operation, or outlived it.
        ping: The number of the ping that went before it: what the client says before it answers that ping,
            it says without knowing of the call.
        reply: Done when the client has answered, or cannot any more.
    """

    message_id: str
    operation: str
    turn: Turn | None
    ping: int
    reply: "asyncio.Future[Message]" = field(factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def is_waited_for(self) -> bool:
        """Whether an operation holds something up for the answer; one that has come is no reason any more."""
        return self.turn is not None and not self.turn.is_over and not self.reply.done()


class PendingCalls:
    """The bounded table of one session.

    Args:
        limit: ``maxPendingCalls``.
        cancel: Is given the id of a call of the peer's that the peer cancels.

    Attributes:
        calls: Those that wait, by their ids.
        most: The most that ever waited.
        unrelated: Replies to no call: late ones, and those to calls that nobody made.
    """

    __slots__ = ("_cancel", "_last", "_late", "calls", "limit", "most", "unrelated")

    def __init__(self, limit: int, cancel: Callable[[str | bytes], None] = lambda message_id: None) -> None:
        self.limit = limit
        self._cancel = cancel
        self.most = 0
        self.unrelated = 0
        self.calls: dict[str, PendingCall] = {}
        self._last = 0
        self._late: dict[str, Callable[[Message], None]] | None = None  # few ever need it

    def __len__(self) -> int:
        return len(self.calls)

    def __iter__(self) -> Iterator[PendingCall]:
        return iter(self.calls.values())

    def add(self, operation: str, turn: Turn | None, ping: int) -> PendingCall:
        """Expect an answer from now on.

        Raises:
            InvalidOperationError: Too many calls wait already.
        """
        if len(self.calls) >= self.limit:
            raise InvalidOperationError(
                f"{operation}: {self.limit} calls wait for this client's answer (callbacks maxPendingCalls)"
            )
        self._last += 1
        call = PendingCall(f"{OWN_ID_PREFIX}{self._last}", operation, turn, ping)
        self.calls[call.message_id] = call
        self.most = max(self.most, len(self.calls))
        return call

    def remove(self, call: PendingCall) -> None:
        """Nobody waits for it any more: an answer that still comes is dropped."""
        self.calls.pop(call.message_id, None)

    def resolve(self, reply: Message) -> None:
        """An answer has come: from here on the call waits for nothing of this client's.

        The client's cancellation of a call of its own comes the same way, past what waits.
        """
        if reply.action == CANCEL_ACTION and reply.relates_to is not None:
            self._cancel(reply.relates_to)
            return
        id_ = reply.relates_to if isinstance(reply.relates_to, str) else ""
        call = self.calls.pop(id_, None)
        if call is not None and not call.reply.done():
            call.reply.set_result(reply)
        elif self._late and (take := self._late.pop(id_, None)) is not None:
            take(reply)
        else:
            self.unrelated += 1

    def take_late(self, call: PendingCall, take: Callable[[Message], None]) -> None:
        """Nobody waits for an answer any more that would still have to be dealt with, whenever it comes."""
        self.remove(call)
        if call.reply.done() and not call.reply.cancelled() and call.reply.exception() is None:
            take(call.reply.result())
            return
        if self._late is None:
            self._late = {}
        if len(self._late) >= self.limit:
            del self._late[next(iter(self._late))]  # a peer that answers nothing; it has a time limit, too
        self._late[call.message_id] = take

    def fail(self, call: PendingCall, error: Exception) -> None:
        """Its answer cannot come any more."""
        self.remove(call)
        if not call.reply.done():
            call.reply.set_exception(error)

    def fail_all(self, error: Callable[[], Exception]) -> None:
        """The session is over; each caller gets an error of its own."""
        for call in tuple(self.calls.values()):
            self.fail(call, error())
