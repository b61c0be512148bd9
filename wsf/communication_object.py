"""What channels and hosts have in common: a state, and events that happen to them at most once.

WCF: ICommunicationObject.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar, Final, Self, overload

from attrs import frozen

from wsf.errors import (
    CloseCode,
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    InvalidOperationError,
    WsfError,
)

__all__ = (
    "OPENED",
    "CloseDetails",
    "CloseStatus",
    "CommunicationObject",
    "CommunicationState",
    "Event",
    "RepeatedEvent",
    "sendable",
)

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


#: the same; Python 3.11 makes ``CommunicationState.OPENED`` a call, and every message asks
OPENED: Final = CommunicationState.OPENED


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


_NORMAL: Final = CloseStatus(CloseCode.NORMAL)


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
        self.output_close_status = _NORMAL

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
        self._handlers: tuple[Callable[[Any], object], ...] = ()  # most events of most channels have none
        self._is_over = False

    def __iadd__(self, handler: Callable[[Any], object]) -> Self:
        if inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler!r} is async: a handler of an event is an ordinary function")
        if not callable(handler):
            raise TypeError(f"a handler of an event is a function, not {type(handler).__name__}")
        if not self._is_over and handler not in self._handlers:
            self._handlers += (handler,)
        return self

    def __isub__(self, handler: Callable[[Any], object]) -> Self:
        self._handlers = tuple(known for known in self._handlers if known != handler)
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
            self._handlers = ()

    def _call(self, sender: Any) -> None:
        handlers, self._handlers = self._handlers, ()
        for handler in handlers:
            try:
                handler(sender)
            except Exception:  # one subscriber's bug is no other's problem, nor the sender's
                logger.exception("a handler of an event failed: %r", handler)


class RepeatedEvent(Event):
    """Something that may happen again and again; its handlers stay."""

    __slots__ = ()

    def fire(self, sender: Any) -> None:
        """Call every handler in the next turn of the event loop; one that raises is logged."""
        if self._handlers:
            asyncio.get_running_loop().call_soon(self._call, sender)

    def _call(self, sender: Any) -> None:
        handlers = self._handlers
        super()._call(sender)
        self._handlers = handlers


#: where the event of each state is kept; there is none of being created
_SLOTS: Final[dict[CommunicationState, str]] = {
    state: f"_{state.value.lower()}_event"
    for state in CommunicationState
    if state is not CommunicationState.CREATED
}

#: what has happened, or never will, before anybody asked for it: nobody is kept
_OVER: Final = Event()
_OVER.forget()


class _Occasion:
    """An event of an object, made when somebody asks for it: most of most sessions have no handlers."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._slot = f"_{name}_event"

    @overload
    def __get__(self, holder: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, holder: object, owner: type[object] | None = None) -> Event: ...
    def __get__(self, holder: object | None, owner: type[object] | None = None) -> Event | Self:
        if holder is None:  # of the class, as whoever describes it asks
            return self
        event: Event | None = getattr(holder, self._slot)
        if event is None:
            event = Event()
            setattr(holder, self._slot, event)
        return event

    def __set__(self, holder: object, event: Event) -> None:
        setattr(holder, self._slot, event)  # what += and -= give back


class CommunicationObject:
    """What a channel and a host have in common. WCF: CommunicationObject.

    Attributes:
        state: Where it stands. Only its owner changes it.
        opening, opened, closing, closed, faulted: Happen when it gets into that state.
    """

    __slots__ = (
        "_closed_event",
        "_closing_event",
        "_faulted_event",
        "_opened_event",
        "_opening_event",
        "_was_closed",
        "state",
    )

    opening = _Occasion()
    opened = _Occasion()
    closing = _Occasion()
    closed = _Occasion()
    faulted = _Occasion()

    #: what errors call it
    kind: ClassVar[str] = "object"

    def __init__(self) -> None:
        self.state = CommunicationState.CREATED
        self._opening_event: Event | None = None
        self._opened_event: Event | None = None
        self._closing_event: Event | None = None
        self._closed_event: Event | None = None
        self._faulted_event: Event | None = None
        self._was_closed = False  # by close(): then it is closed, and not aborted, for whoever uses it

    def demand_opened(self) -> None:
        """Refuse what only an OPENED one can do, before anything is done for it.

        Raises:
            CommunicationObjectClosedError, CommunicationObjectAbortedError, CommunicationObjectFaultedError:
                It is not OPENED any more.
            InvalidOperationError: It is not OPENED yet.

        WCF: ``ThrowIfDisposedOrNotOpen``.
        """
        if self.state is not CommunicationState.OPENED:
            raise self._unusable()

    def _demand_created(self) -> None:
        """Refuse what is possible only before it is opened. WCF: ``ThrowIfDisposedOrImmutable``."""
        if self.state is not CommunicationState.CREATED:
            raise self._unusable()

    def _become(self, state: CommunicationState) -> None:
        """Get into a state, and have its event happen."""
        self.state = state
        event: Event | None = getattr(self, _SLOTS[state])
        if event is None:
            setattr(self, _SLOTS[state], _OVER)
        else:
            event.fire(self)

    def _forget_handlers(self) -> None:
        """What has not happened never will."""
        for slot in _SLOTS.values():
            event: Event | None = getattr(self, slot)
            if event is None:
                setattr(self, slot, _OVER)
            else:
                event.forget()

    def _unusable(self) -> WsfError:
        """What a use in this state is answered with; WCF's table, docs/wcf-parity.md."""
        said = f"the {self.kind} is {self.state.value}"
        if self.state is CommunicationState.CREATED:
            return InvalidOperationError(f"{said}: it is not open yet")
        if self.state in (CommunicationState.OPENING, CommunicationState.OPENED):
            return InvalidOperationError(f"{said}: that is possible only before it is opened")
        if self.state is CommunicationState.FAULTED:
            return CommunicationObjectFaultedError(f"{said}: {self._end_reason}")
        if self._was_aborted and not self._was_closed:
            return CommunicationObjectAbortedError(f"the {self.kind} was aborted: {self._end_reason}")
        return CommunicationObjectClosedError(said)

    @property
    def _was_aborted(self) -> bool:
        return False

    @property
    def _end_reason(self) -> str:
        return ""
