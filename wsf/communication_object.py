"""What channels and hosts have in common: a state, and events that happen to them at most once.

WCF: ICommunicationObject.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Self

from attrs import frozen

from wsf.errors import CloseCode

__all__ = ("CloseDetails", "CloseStatus", "CommunicationState", "Event", "sendable")

logger = logging.getLogger(__name__)

#: the registered codes that may be sent (RFC 6455 section 7.4.1, and IANA's list)
_SENDABLE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class CommunicationState(Enum):
    """Where a channel or host stands. WCF: CommunicationState."""

    CREATED = "Created"
    OPENING = "Opening"
    OPENED = "Opened"
    CLOSING = "Closing"
    CLOSED = "Closed"
    FAULTED = "Faulted"


@frozen
class CloseStatus:
    """How a session ended: a close code, a short reason, and whose they are: the host's or the client's."""

    code: int
    reason: str = ""
    by: str = "host"


def sendable(code: int, reason: str = "") -> CloseStatus:
    """What a close frame of ours may say.

    Raises:
        ValueError: The code is none that may be sent (RFC 6455 section 7.4).
    """
    if not (3000 <= code < 5000 or code in _SENDABLE_CODES):
        raise ValueError(f"{code} is no close code that can be sent: an application's own are 3000-4999")
    return CloseStatus(code, reason)


class CloseDetails:
    """What the two sides say of a session's end. WCF: IWebSocketCloseDetails.

    A client that closes first gets its own code back, as RFC 6455 section 5.5.1 has it: ours is for where
    this side closes first.

    Attributes:
        input_close_status: What the client's close frame said when it closed first; None before.
        output_close_status: What ``close()`` and an ``is_terminating`` operation say; 1000 unless set.
    """

    __slots__ = ("input_close_status", "output_close_status")

    def __init__(self) -> None:
        self.input_close_status: CloseStatus | None = None
        self.output_close_status = CloseStatus(CloseCode.NORMAL)

    def set_output_close_status(self, code: int, reason: str = "") -> None:
        """Say how this side will close, if it closes first. WCF: ``SetOutputCloseStatus``.

        Raises:
            ValueError: The code is none that may be sent (RFC 6455 section 7.4).
        """
        self.output_close_status = sendable(code, reason)


class Event:
    """Something that happens to a channel, host or call at most once; ``+=`` subscribes, ``-=`` takes back.

    A handler is called with what it happened to. Subscribing the same handler twice is once. A handler that
    comes too late is never called, and not kept. WCF: the events of ICommunicationObject.
    """

    __slots__ = ("_handlers", "_is_over")

    def __init__(self) -> None:
        self._handlers: list[Callable[[Any], object]] = []
        self._is_over = False

    def __iadd__(self, handler: Callable[[Any], object]) -> Self:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler!r} is async: a handler of an event is an ordinary function")
        if not callable(handler):
            raise TypeError(f"a handler of an event is a function, not {type(handler).__name__}")
        if not self._is_over and handler not in self._handlers:
            self._handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[[Any], object]) -> Self:
        if handler in self._handlers:
            self._handlers.remove(handler)
        return self

    def fire(self, sender: Any) -> None:
        """Call every handler in the next turn of the event loop; one that raises is logged."""
        if not self._is_over and self._handlers:
            asyncio.get_running_loop().call_soon(self._call, sender)
        self._is_over = True

    def forget(self) -> None:
        """It will not happen any more: let go of who waits for it. What has happened is still told."""
        if not self._is_over:
            self._is_over = True
            self._handlers.clear()

    def _call(self, sender: Any) -> None:
        handlers, self._handlers = self._handlers, []
        for handler in handlers:
            try:
                handler(sender)
            except Exception:  # one subscriber's bug is no other's problem, nor the sender's
                logger.exception("a handler of an event failed: %r", handler)
