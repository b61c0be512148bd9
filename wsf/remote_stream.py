"""A stream of the other side, as an async iterator: who consumes.

The law: whatever ends the loop over it ends the stream at the other side, and says so without waiting.
WCF has no such thing; the words on the wire are StreamJsonRpc's.
"""

import asyncio
import contextlib
import functools
import math
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, Generic, TypeVar

from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CommunicationState
from wsf.description import OperationDescription
from wsf.errors import CommunicationError, InvalidOperationError, SerializationError
from wsf.faults import exception_of
from wsf.formatters import MessageFormatter, streamed
from wsf.message import STREAM_ABORT_ACTION, STREAM_NEXT_ACTION, Message

__all__ = ("RemoteStream",)

T = TypeVar("T")


class RemoteStream(AsyncGenerator[T, None], Generic[T]):
    """The values of one call that streams. Nothing is called before somebody asks for the first.

    It is left by ``break``, an exception, a cancellation, ``aclose()``, or by being dropped, and over then.
    A wait for the next value has no timeout: what is rare may take long, and a link that is lost is noticed.

    Args:
        message: The call's.
        title: ``Contract.method``, for messages to the author.
        formatter: Reads each value.
    """

    def __init__(
        self,
        channel: DuplexSessionChannel,
        message: Message,
        title: str,
        operation: OperationDescription,
        formatter: MessageFormatter,
    ) -> None:
        self._channel = channel
        self._message: Message | None = message
        self._title = title
        self._operation = operation
        self._formatter = formatter
        self._loop = asyncio.get_running_loop()
        self._values: deque[bytes] = deque()
        self._token: bytes | None = None
        self._is_over = False
        self._is_asking = False

    async def open(self) -> None:
        """Make the call.

        Raises:
            As ``DuplexSessionChannel.request``; FaultException if the call is answered with one;
            CommunicationError if the answer is not what was promised.
        """
        message, self._message = self._message, None
        if message is not None:
            await self._exchange(functools.partial(self._call, message), streamed.read_opened)

    async def __anext__(self) -> T:
        """The next value, in the order they were sent.

        Raises:
            FaultException, CommunicationError: As for ``open``; the stream is over.
            InvalidOperationError: Another task waits for the next one.
        """
        while not self._values:
            if self._is_over:
                raise StopAsyncIteration
            if self._message is not None:
                await self.open()
            elif self._token is None:
                self._is_over = True
            else:
                read = functools.partial(streamed.read_batch, token=self._token)
                await self._exchange(functools.partial(self._pull, self._token), read)
        value = Message(self._values.popleft())
        try:
            received: T = self._formatter.deserialize_reply(value)
        except SerializationError as error:
            self._leave()
            raise self._broken(error) from error
        return received

    async def asend(self, value: None) -> T:
        """As ``__anext__``: nothing can be sent into a stream."""
        if value is not None:
            raise TypeError("nothing can be sent into a stream of the other side")
        return await self.__anext__()

    async def athrow(self, typ: Any, val: Any = None, tb: Any = None, /) -> T:
        """End it, and raise."""
        self._leave()
        error = typ if isinstance(typ, BaseException) else val if val is not None else typ()
        raise error.with_traceback(tb) if tb is not None else error

    async def aclose(self) -> None:
        """End it, also while another task waits for the next value: that loop ends then. Never waits."""
        self._leave()

    def __del__(self) -> None:
        """It was dropped: no loop will ask for more. It may be any thread that notices."""
        token, self._token = getattr(self, "_token", None), None
        if token is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(_abort, self._channel, token)

    async def _exchange(
        self, call: Callable[[], Any], read: Callable[[bytes | None], streamed.Batch]
    ) -> None:
        if self._is_asking:
            raise InvalidOperationError(f"{self._title}: another task waits for the stream's next value")
        self._is_asking = True
        self._channel.streams.pulls += 1
        try:
            self._take(await call(), read)
        except BaseException:
            self._leave()
            raise
        finally:
            self._is_asking = False
            self._channel.streams.pulls -= 1

    async def _call(self, message: Message) -> Message:
        """Who gives up meanwhile ends the stream as soon as its token is known."""
        late = functools.partial(_abort_late, self._channel)
        return await self._channel.request(message, self._title, late=late)

    async def _pull(self, token: bytes) -> Message:
        message = streamed.request(STREAM_NEXT_ACTION, token)
        return await self._channel.request(message, self._title, within=math.inf)

    def _take(self, reply: Message, read: Callable[[bytes | None], streamed.Batch]) -> None:
        if reply.fault is not None:
            self._token = None  # the other side has forgotten it
            fault = exception_of(reply.fault, self._operation)
            fault.origin = self._channel
            raise fault
        try:
            values, token = read(reply.body)
        except SerializationError as error:
            raise self._broken(error) from error
        if self._is_over:  # it was left meanwhile
            if token is not None:
                _abort(self._channel, token)
            return
        self._values.extend(values)
        self._token = token

    def _leave(self) -> None:
        token, self._token = self._token, None
        self._is_over = True
        self._message = None
        self._values.clear()
        if token is not None:
            _abort(self._channel, token)

    def _broken(self, error: SerializationError) -> CommunicationError:
        return CommunicationError(f"{self._title}: the other side's stream is not what was promised: {error}")


def _abort(channel: DuplexSessionChannel, token: bytes) -> None:
    if channel.state is CommunicationState.OPENED:
        with contextlib.suppress(CommunicationError):  # it has ended: so has the stream
            channel.send(streamed.request(STREAM_ABORT_ACTION, token))


def _abort_late(channel: DuplexSessionChannel, reply: Message) -> None:
    with contextlib.suppress(SerializationError):
        token = None if reply.fault is not None else streamed.read_opened(reply.body).token
        if token is not None:
            _abort(channel, token)
