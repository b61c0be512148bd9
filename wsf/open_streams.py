"""The streams that one session's operations have open, by the tokens that they are asked for by.

The law: there are no more than ``maxStreams``, and none outlives the session or waits longer than
``idleTimeout`` to be asked. What is said about streams passes no gate, so that it never waits for a call.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from wsf.behaviors import StreamSettings
from wsf.counters import Meter
from wsf.errors import FaultCode, FaultException, SerializationError
from wsf.formatters import streamed
from wsf.message import STREAM_ABORT_ACTION, STREAM_NEXT_ACTION, Message, MessageFault, MessageType
from wsf.streaming import Asker, Stream, StreamedOperation, close_iterator

__all__ = ("STREAM_ACTIONS", "OpenStreams")

#: what is said about a stream, and is no call of an operation
STREAM_ACTIONS: Final = frozenset({STREAM_NEXT_ACTION, STREAM_ABORT_ACTION})

_DONE: Final = Message(b"null", MessageType.TEXT)


class OpenStreams:
    """Those of one session.

    Args:
        meter: Counts them.

    Attributes:
        pulls: How many values this side itself waits for, from streams of the other side.
    """

    __slots__ = ("_alive", "_by_token", "_is_closed", "_last", "meter", "pulls", "settings")

    def __init__(self, settings: StreamSettings, meter: Meter) -> None:
        self.settings = settings
        self.meter = meter
        self.pulls = 0
        self._by_token: dict[bytes, Stream] = {}
        # those, too, whose generator is still closing; a dict, as Session.tasks
        self._alive: dict[Stream, None] = {}
        self._last = 0
        self._is_closed = False

    def __len__(self) -> int:
        """Tokens that somebody may still ask by."""
        return len(self._by_token)

    @property
    def tasks(self) -> list["asyncio.Task[None]"]:
        """Of generators that have not ended."""
        return [stream.task for stream in self._alive if not stream.task.done()]

    @property
    def are_asked(self) -> bool:
        """Whether one side waits for the other's values: no idle session."""
        return self.pulls > 0 or any(stream.asked is not None for stream in self._by_token.values())

    def demand_room(self) -> None:
        """Refuse one more than there may be.

        Raises:
            FaultException: For the caller.
        """
        if len(self._alive) >= self.settings.max_streams:
            self.meter.streams_refused += 1
            raise FaultException(
                f"{self.settings.max_streams} streams are open in this session (streams maxStreams): end one"
            )

    async def open(self, iterator: AsyncIterator[object], operation: StreamedOperation) -> Stream:
        """A new stream; one that is over at once if the session is.

        Raises:
            TypeError: It is no async iterator.
            FaultException: There is no room for it; the iterator is closed.
        """
        if not hasattr(iterator, "__aiter__"):
            raise TypeError(f"what streams returns an async iterator, not {type(iterator).__name__}")
        try:
            self.demand_room()
        except FaultException:
            await close_iterator(iterator)
            raise
        self._last += 1
        token = b"%d" % self._last
        stream = Stream(
            token, iterator, operation, settings=self.settings, meter=self.meter, on_over=self._forget
        )
        self._by_token[stream.token] = stream
        self._alive[stream] = None
        stream.task.add_done_callback(lambda _: self._settle(stream))
        self.meter.streams_opened += 1
        self.meter.streams_most = max(self.meter.streams_most, len(self._by_token))
        if self._is_closed:
            stream.end()
        return stream

    def take(self, message: Message, asker: Asker) -> None:
        """Do what a message with one of ``STREAM_ACTIONS`` says. Never waits, and passes no gate."""
        try:
            stream = self._by_token.get(streamed.token_of(message.body))
        except SerializationError as error:
            self._refuse(message, asker, FaultCode.DESERIALIZATION_FAILED, str(error))
            return
        if stream is None:
            reason = "no such stream: it has ended, or nobody asked for more of it in time"
            self._refuse(message, asker, FaultCode.NO_SUCH_STREAM, reason)
        elif message.action == STREAM_ABORT_ACTION:
            _abort(stream, message, asker)
        elif message.message_id is not None:  # without, nobody would get the values
            stream.ask(message, asker)

    def withdraw(self, message_id: str | bytes, fault: MessageFault) -> bool:
        """Who asks for values cancels that, and gets ``fault``; the stream stays. False: nobody asks so."""
        for stream in self._by_token.values():
            if stream.asked is not None and stream.asked[0].message_id == message_id:
                message, asker = stream.asked
                stream.withdraw()
                asker.answer(message, Message(fault=fault))
                return True
        return False

    def close(self) -> None:
        """The session is over: every stream ends now."""
        self._is_closed = True
        for stream in tuple(self._by_token.values()):
            stream.end()

    def cancel(self) -> None:
        """Who is still closing is not waited for any longer."""
        for task in self.tasks:
            task.cancel()

    async def ended(self) -> None:
        """Wait until every generator has ended. After ``close``."""
        if tasks := self.tasks:
            await asyncio.wait(tasks)

    def _forget(self, stream: Stream) -> None:
        self._by_token.pop(stream.token, None)
        self._settle(stream)

    def _settle(self, stream: Stream) -> None:
        if stream.is_over and stream.task.done():
            self._alive.pop(stream, None)

    def _refuse(self, message: Message, asker: Asker, code: FaultCode, reason: str) -> None:
        if message.message_id is not None:
            asker.answer(message, _fault(code, reason))


def _abort(stream: Stream, message: Message, asker: Asker) -> None:
    """Who ends a stream gets the answer when its generator has ended."""
    asked = stream.asked
    stream.end()
    if asked is not None:
        waiting, who = asked
        who.answer(waiting, streamed.batch((), is_finished=True))
    if message.message_id is not None:
        stream.task.add_done_callback(lambda _: asker.answer(message, _DONE))


def _fault(code: FaultCode, reason: str) -> Message:
    return Message(fault=MessageFault(code, reason))
