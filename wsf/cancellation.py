"""Cancellation: who has called does not want the answer any more.

The laws: a call of the peer's that is cancelled is answered all the same, exactly once; one that has not
begun never runs; one that runs is told by the ordinary ``CancelledError``, and its answer is what it makes of
it.
A cancellation relates to a call, as a reply does, and like a reply it never waits behind a call. WCF: none.
"""

import asyncio
from types import TracebackType
from typing import Any

from msgspec import Struct

from wsf.errors import FaultCode
from wsf.message import MessageFault

__all__ = ("CANCELLED", "CallCancelledError", "ServedCall")

#: what the caller is answered
CANCELLED = MessageFault(FaultCode.CANCELLED, "the caller has cancelled the call")


class CallCancelledError(Exception):
    """How a cancelled call ends on our side. No user ever sees it: an operation gets ``CancelledError``."""


class ServedCall(Struct, eq=False):  # one for each call: see Message
    """A call of the peer's, from when it is accepted until its turn ends it with its operation.

    Used in ``with``, around what a cancellation may cut short; it raises ``CallCancelledError`` then. More
    than one such part may come after the other.

    Attributes:
        server: The task that all of it runs in, where that is known before.
    """

    _calls: "dict[str | bytes, ServedCall]"
    _message_id: str | bytes
    server: asyncio.Task[Any] | None = None
    _task: asyncio.Task[Any] | None = None
    _before: int = 0
    _is_cancelled: bool = False
    _is_interrupted: bool = False

    def __post_init__(self) -> None:
        """It is under way from now on."""
        self._calls[self._message_id] = self

    def __repr__(self) -> str:
        return "<ServedCall>"  # its id is the peer's own text

    def cancel(self) -> None:
        """The caller has had enough. Nothing happens if it has said so before."""
        if not self._is_cancelled:
            self._is_cancelled = True
            # in a turn of its own: who reads may be the very task that is to be cancelled
            asyncio.get_running_loop().call_soon(self._interrupt)

    def end(self) -> None:
        """The operation has ended: there is nothing to cancel any more."""
        if self._calls.get(self._message_id) is self:  # a peer may have used the id twice
            del self._calls[self._message_id]

    def __enter__(self) -> None:
        if self._is_cancelled:
            raise CallCancelledError
        self._task = task = self.server or asyncio.current_task()
        self._before = task.cancelling() if task is not None else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._is_interrupted and task is not None:
            self._is_interrupted = False
            is_ours = task.uncancel() <= self._before  # and not the host's, which aborts
            if is_ours and kind is not None and issubclass(kind, asyncio.CancelledError):
                raise CallCancelledError from error

    def _interrupt(self) -> None:
        if self._task is not None:
            self._is_interrupted = True
            self._task.cancel()
