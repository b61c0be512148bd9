"""What channels and hosts have in common: a state, and events that happen to them at most once.

WCF: ICommunicationObject.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

from attrs import frozen

__all__ = ("CloseStatus", "CommunicationState", "Event")

logger = logging.getLogger(__name__)


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


class Event:
    """Something that happens to a channel at most once; ``+=`` subscribes, ``-=`` takes it back.

    A handler is called with the channel. Subscribing the same handler twice is once. A handler that comes
    too late is never called. WCF: the events of ICommunicationObject.
    """

    __slots__ = ("_handlers",)

    def __init__(self) -> None:
        self._handlers: list[Callable[[Any], object]] = []

    def __iadd__(self, handler: Callable[[Any], object]) -> Self:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__} is async: a handler of an event is an ordinary function")
        if handler not in self._handlers:
            self._handlers.append(handler)
        return self

    def __isub__(self, handler: Callable[[Any], object]) -> Self:
        if handler in self._handlers:
            self._handlers.remove(handler)
        return self

    def fire(self, sender: Any) -> None:
        """Call every handler in the next turn of the event loop; one that raises is logged."""
        if self._handlers:
            asyncio.get_running_loop().call_soon(self._call, sender)

    def _call(self, sender: Any) -> None:
        handlers, self._handlers = self._handlers, []
        for handler in handlers:
            try:
                handler(sender)
            except Exception:  # one subscriber's bug is no other's problem, nor the channel's
                logger.exception("a handler of a channel's event failed: %r", handler)
