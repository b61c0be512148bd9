"""What the two sides of a stream say to each other, as JSON. The members' names are StreamJsonRpc's.

``{"token": 1, "values": []}`` opens a stream, ``[1]`` asks for more of it, and what there is comes as
``{"values": [...], "finished": true}``. Each value is its operation's formatter's; tokens are echoed as they
were written. The JSON reader is loaded when first needed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wsf.errors import SerializationError
from wsf.message import Message, MessageType

__all__ = ("Batch", "batch", "opened", "read_batch", "read_opened", "request", "token_of")


class Batch(NamedTuple):
    """Values, each as its bytes, and the token that asks for more; None: there are no more."""

    values: list[bytes]
    token: bytes | None


def opened(token: bytes) -> Message:
    """The answer to a call that streams."""
    return Message(b'{"token":%b,"values":[]}' % token, MessageType.TEXT)


def batch(values: Sequence[bytes], *, is_finished: bool) -> Message:
    """The answer to who asks for more."""
    end = b"true" if is_finished else b"false"
    return Message(b'{"values":[%b],"finished":%b}' % (b",".join(values), end), MessageType.TEXT)


def request(action: str, token: bytes) -> Message:
    """What asks for more of a stream, or ends it."""
    return Message(b"[%b]" % token, MessageType.TEXT, action)


def token_of(body: bytes | None) -> bytes:
    """Which stream is meant: ``[token]`` or ``{"token": token}``.

    Raises:
        SerializationError: The body is neither.
    """
    from wsf.formatters._stream_messages import read_array, read_token  # noqa: PLC0415 - see above

    body = body or b"[]"
    try:
        if body.lstrip()[:1] != b"[":
            return bytes(read_token(body).token)
        (token,) = read_array(body)
    except (ValueError, RecursionError):
        raise SerializationError("the token is missing: [token], or {token: ...}") from None
    return bytes(token)


def read_opened(body: bytes | None) -> Batch:
    """What the answer to a call that streams says.

    Raises:
        SerializationError: It is none.
    """
    from wsf.formatters import _stream_messages as messages  # noqa: PLC0415 - see above

    try:
        answer = messages.read_opened(body or b"")
    except (ValueError, RecursionError):
        raise SerializationError("expected a stream: its token, its first values") from None
    token = None if answer.token == messages.NULL else bytes(answer.token)
    return Batch([bytes(value) for value in answer.values or ()], token)


def read_batch(body: bytes | None, token: bytes) -> Batch:
    """What the answer to ``request`` says.

    Raises:
        SerializationError: It is none.
    """
    from wsf.formatters._stream_messages import read_answer  # noqa: PLC0415 - see above

    try:
        answer = read_answer(body or b"")
    except (ValueError, RecursionError):
        raise SerializationError("expected values of a stream") from None
    return Batch([bytes(value) for value in answer.values or ()], None if answer.finished else token)
