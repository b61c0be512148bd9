"""The operation takes and returns messages: nothing is read, nothing is written. WCF: the untyped message."""

from typing import Any

from attrs import frozen

from wsf.message import Message

__all__ = ("RawFormatter",)


@frozen
class RawFormatter:
    """See ``MessageFormatter``."""

    takes_message: bool

    def deserialize_request(self, message: Message) -> tuple[Any, ...]:
        """The message itself, or nothing."""
        return (message,) if self.takes_message else ()

    def serialize_reply(self, result: Any, relates_to: str | bytes | None = None) -> Message:
        """The message that was returned; an empty one for None."""
        reply = Message() if result is None else _message(result)
        # a message that came as an answer relates to a call of ours, which is nobody else's
        return reply if reply.relates_to == relates_to else reply.with_ids(relates_to=relates_to)

    def serialize_request(self, arguments: tuple[Any, ...]) -> Message:
        """The one argument."""
        return _message(arguments[0]) if arguments else Message()

    def deserialize_reply(self, message: Message) -> Any:
        """The message itself."""
        return message


def _message(value: object) -> Message:
    if not isinstance(value, Message):
        raise TypeError(f"a wsf.Message is sent here, not {type(value).__name__}")
    return value
