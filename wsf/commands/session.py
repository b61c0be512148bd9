"""A command's session with a service: requests out of JSON, and whatever the service calls here."""

import argparse
import asyncio
import contextlib
import math
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, Final

from wsf.bindings.custom import CustomBinding
from wsf.client import ClientChannel, DuplexChannelFactory, SecurityToken
from wsf.commands.contracts import AnyByteStream, AnyCallback, AnyMethodEncoding, AnyReader, AnyService
from wsf.commands.streams import values_of
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.errors import CloseCode, CommunicationError, ReplyTimeoutError
from wsf.message import Message, MessageFault, MessageType
from wsf.settings import finite
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage
from wsf.transports.https import HttpsTransport

__all__ = ("FaultAnswer", "Session", "Show", "connected")

#: bytes of one message that a command takes: it is one client, and a person wants to see what there is
MAX_MESSAGE: Final = 64 * 1024 * 1024

#: s for the service's part of a good-bye: who has an answer, or none, does not want to wait for more
CLOSE_TIMEOUT: Final = 1.0

#: how a service says that it has ended, and that nothing is wrong
CLEAN_ENDS: Final = (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS, CloseCode.SERVICE_RESTART)

#: what is done with a message of the service, and with what it is answered: None if it waits for nothing
Show = Callable[[Message, bytes | None], None]


class FaultAnswer(Exception):  # noqa: N818 - what the service says, not what went wrong here
    """A call was answered with a fault."""

    def __init__(self, fault: MessageFault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


class _Caller(AnyCallback):
    """Shows what the service calls, and answers what it is told to."""

    def __init__(self, show: Show, answer: bytes) -> None:
        self._show = show
        self._answer = answer

    async def receive(self, message: Message) -> Message:
        """Take any call, and answer it."""
        self._show(message, None if message.message_id is None else self._answer)
        return Message(self._answer, MessageType.TEXT)


class _Reader(AnyReader):
    """Shows what the service sends."""

    def __init__(self, show: Show) -> None:
        self._show = show

    async def receive(self, message: Message) -> None:
        """Take any message."""
        self._show(message, None)


class Session:
    """An open session.

    Args:
        timeout: s for each answer.
    """

    def __init__(self, channel: ClientChannel[Any], timeout: float) -> None:
        self._client = channel
        self._timeout = timeout
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        channel.closed += self._on_end
        channel.faulted += self._on_end

    async def request(self, operation: str, arguments: bytes) -> bytes:
        """Call an operation with JSON; its result.

        Raises:
            FaultAnswer: It was answered with a fault.
            CommunicationError: There was no answer, in time or at all.
        """
        try:
            async with asyncio.timeout(finite(self._timeout)):
                return await self._ask(operation, arguments)
        except TimeoutError:
            late = f"{operation}: no answer within {self._timeout:g} s (--timeout)"
            raise ReplyTimeoutError(late) from None

    async def results(self, operation: str, arguments: bytes) -> AsyncIterator[bytes]:
        """Call an operation; its result, or the values that it streams, however long each takes."""
        result = await self.request(operation, arguments)
        async for value in values_of(result, self._ask):
            yield value

    def say(self, text: str) -> None:
        """Send a text, over a byte stream."""
        channel: Any = self._client.session
        channel.send(Message(text.encode(), MessageType.TEXT))

    async def end(self) -> str:
        """Wait until the service ends the session; how it says so.

        Raises:
            CommunicationError: The connection is lost, or the service says that something is wrong.
        """
        await self._ended
        status = self._client.close_status
        said = "" if status is None else f"{status.code} {status.reason}".rstrip()
        if status is None or status.code not in CLEAN_ENDS:
            raise CommunicationError(f"the session has ended: {said or 'the connection is lost'}")
        return said

    async def _ask(self, operation: str, arguments: bytes) -> bytes:
        channel: Any = self._client.session
        reply: Message = await channel.request(Message(arguments, MessageType.TEXT, operation), operation)
        if reply.fault is not None:
            raise FaultAnswer(reply.fault)
        return reply.body or b"null"

    def _on_end(self, _: object) -> None:
        if not self._ended.done():
            self._ended.set_result(None)


@contextlib.asynccontextmanager
async def connected(options: argparse.Namespace, show: Show) -> AsyncGenerator[Session, None]:
    """A session with the service at the options' address; what it calls is shown.

    Raises:
        CommunicationError: There is no connection.
        OSError, ssl.SSLError: The file of certificates cannot be read.
    """
    channel = _factory(options, show).create_channel()
    await channel.open()
    try:
        yield Session(channel, options.timeout)
    finally:
        with contextlib.suppress(CommunicationError):  # it is over: what there was to tell has been told
            await channel.close()


def _factory(options: argparse.Namespace, show: Show) -> DuplexChannelFactory[Any]:
    async def token() -> SecurityToken:
        return SecurityToken(headers=dict(options.header))

    contract: Any = AnyByteStream if options.raw else AnyService
    tls = None if options.ca is None else ssl.create_default_context(cafile=options.ca)
    return DuplexChannelFactory(
        contract,
        _Reader(show) if options.raw else _Caller(show, options.answer),
        _binding(options),
        options.address,
        token_provider=token,
        tls=tls,
    )


def _binding(options: argparse.Namespace) -> CustomBinding:
    transport = HttpsTransport if options.address.startswith("wss:") else HttpTransport
    sockets = WebSocketSettings(
        transport_usage=WebSocketTransportUsage.ALWAYS, sub_protocol=options.sub_protocol
    )
    return CustomBinding(
        encoding=ByteStreamMessageEncoding() if options.raw else AnyMethodEncoding(),
        transport=transport(web_socket_settings=sockets, max_received_message_size=MAX_MESSAGE),
        open_timeout=options.timeout,
        close_timeout=CLOSE_TIMEOUT,
        send_timeout=math.inf,  # each request has a timeout of its own
        receive_timeout=math.inf,  # who listens has time
    )
