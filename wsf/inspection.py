"""Message inspectors at work: asked in order, told of a session's end in reverse, and not believed blindly.

WCF: MessageInspectorCollection, ChannelInitializer.
"""

from collections.abc import Sequence

from attrs import frozen

from wsf.channel import DuplexSessionChannel, Inspect
from wsf.communication_object import CloseStatus
from wsf.error_behavior import OWN_ERRORS, ErrorBehavior, as_exception
from wsf.extensions import MessageInspector
from wsf.message import Message

__all__ = ("Inspection", "Refusal", "checked", "outgoing")


@frozen
class Refusal:
    """Why a session is not let begin, and how it ends for it."""

    error: Exception
    end: CloseStatus


class Inspection:
    """One session's inspectors.

    Args:
        inspectors: The service's, in list order.
        errors: Judges what they raise.
    """

    __slots__ = ("_channel", "_errors", "_inspectors", "_told")

    def __init__(
        self, inspectors: Sequence[MessageInspector], channel: DuplexSessionChannel, errors: ErrorBehavior
    ) -> None:
        self._inspectors = inspectors
        self._channel = channel
        self._errors = errors
        self._told: tuple[MessageInspector, ...] = ()  # of the begin: they hear of the end, too

    def begin(self) -> Refusal | None:
        """Let each see the session, up to the one that refuses it."""
        for inspector in self._inspectors:
            try:
                inspector.connect(self._channel)
            except OWN_ERRORS as raised:  # what its author says of this session, or a mistake of its author's
                error = as_exception(raised)
                return Refusal(
                    error, self._errors.refusal(error, self._channel, _place(inspector, "connect"))
                )
            self._told += (inspector,)
        return None

    def end(self, status: CloseStatus) -> None:
        """Tell each that the session has ended."""
        for inspector in reversed(self._told):
            try:
                inspector.closed(self._channel, status)
            except OWN_ERRORS as raised:  # the others hear of it all the same, and the host can end
                error = as_exception(raised)
                self._errors.blame_service(error, _place(inspector, "closed"))
                self._errors.handle(error)


def outgoing(inspectors: Sequence[MessageInspector]) -> tuple[Inspect, ...]:
    """What a channel asks about each message on its way out."""

    def asks(inspector: MessageInspector) -> Inspect:
        return lambda message, channel: checked(inspector, inspector.sending(message, channel))

    return tuple(asks(inspector) for inspector in reversed(inspectors))


def checked(inspector: MessageInspector, message: object) -> Message:
    """What an inspector gave back, if it is a message.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(message, Message):
        raise TypeError(
            f"{type(inspector).__qualname__} gave back {type(message).__name__}: the message, or another one"
        )
    return message


def _place(inspector: MessageInspector, method: str) -> str:
    return f"{type(inspector).__qualname__}.{method}"
