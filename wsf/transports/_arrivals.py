"""What has arrived on a WebSocket, taken without a task: no wake-up for each message.

aiohttp gives messages out by ``await receive()``. When one is there, that ends at once, and needs no task to
end in; when none is, it would have to wait. So all there is to know is whether one is there. The queue below
``receive()`` knows; it is private, so it is tried out when this module is imported. Where it is not as
expected, ``receive()`` itself is begun, and gone on with when something has arrived.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from aiohttp import WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http_websocket import WebSocketError
from aiohttp.streams import EofStream

__all__ = ("Arrivals", "BegunReceive", "QueuedMessages", "arrivals_of")

#: kind of frame, data, what belongs to it
Frame = tuple[WSMsgType, Any, Any]

#: what a reader has to say for whom nothing comes any more
_GONE: Final[Frame] = (WSMsgType.CLOSED, None, None)


class Arrivals(Protocol):
    """What has arrived on one WebSocket, in order."""

    def take(self) -> Frame | None:
        """The next message, control frame or error; None: nothing has arrived. Never waits.

        A lost connection is CLOSED, what aiohttp's reader refuses is an ERROR; both are given for ever.
        """
        ...


class QueuedMessages:
    """Out of the queue that aiohttp's reader fills."""

    __slots__ = ("_messages", "_queue")

    def __init__(self, queue: Any) -> None:
        self._queue: Any = queue
        self._messages: Any = queue._buffer

    def take(self) -> Frame | None:
        """See ``Arrivals``."""
        if not self._messages and not self._queue.is_eof():
            return None
        try:
            self._queue.read().send(None)
        except StopIteration as message:
            taken: Frame = message.value
            return taken
        except EofStream:
            return _GONE
        except WebSocketError as error:
            return WSMsgType.ERROR, error, None
        except Exception:  # what aiohttp has been told of the connection's end
            return _GONE
        raise RuntimeError("aiohttp's queue waits, though it is not empty")


class BegunReceive:
    """By the public ``receive()``: begun, and gone on with when what it waits for is done."""

    __slots__ = ("_receive", "_receiving", "_waits_for")

    def __init__(self, receive: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._receive = receive
        self._receiving: Coroutine[Any, Any, Any] | None = None
        self._waits_for: asyncio.Future[None] | None = None

    def take(self) -> Frame | None:
        """See ``Arrivals``."""
        if self._receiving is None:
            self._receiving = self._receive()
        elif self._waits_for is not None and not self._waits_for.done():
            return None
        try:
            self._waits_for = self._receiving.send(None)
        except StopIteration as message:
            self._receiving = self._waits_for = None
            taken: Frame = message.value
            return taken
        except RuntimeError:  # aiohttp's patience with who reads on after the end
            self._receiving = self._waits_for = None
            return _GONE
        return None


def arrivals_of(websocket: web.WebSocketResponse[Any]) -> Arrivals:
    """What arrives on a WebSocket that is prepared; from now on nobody else may ``receive``."""
    if _IS_AS_EXPECTED:
        return QueuedMessages(websocket._reader)
    return BegunReceive(websocket.receive)


def _is_as_expected() -> bool:
    """Whether aiohttp's queue gives out what is put into it, in order, and then its end."""

    class Reading:
        _reading_paused = False

    try:
        loop: Any = None
        reading: Any = Reading()
        queue: Any = WebSocketDataQueue(reading, 2**16, loop=loop)
        messages = QueuedMessages(queue)
        sent: list[Frame] = [(WSMsgType.TEXT, b"1", None), (WSMsgType.BINARY, b"2", None)]
        seen = [messages.take()]
        for message in sent:
            queue.feed_data(message, 1)
        seen += [messages.take(), messages.take(), messages.take()]
        queue.feed_eof()
        return [*seen, messages.take()] == [None, *sent, None, _GONE]
    except Exception:  # whatever another version does
        return False


_IS_AS_EXPECTED: Final = _is_as_expected()
