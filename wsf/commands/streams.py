"""A streamed result without its contract, pulled by requests as any client would."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from wsf.formatters import streamed
from wsf.message import STREAM_NEXT_ACTION

__all__ = ("Ask", "values_of")

#: calls a method of the service with JSON, and gives its result
Ask = Callable[[str, bytes], Awaitable[bytes]]


class _Opened(Struct, forbid_unknown_fields=True):
    token: Raw
    values: list[Raw] | UnsetType = UNSET


_read: Final = Decoder(_Opened).decode


async def values_of(result: bytes, ask: Ask) -> AsyncIterator[bytes]:
    """The values of a stream, one by one; of what is none, the result itself.

    Without a contract nobody can know: a stream is taken to be what has a token and values, or a token alone
    that is a number, and nothing else. Who leaves before its end ends it with the session.

    Raises:
        SerializationError: A stream goes on with something else.
    """
    if not _is_stream(result):
        yield result
        return
    values, token = streamed.read_opened(result)
    for value in values:
        yield value
    while token is not None:
        answer = await ask(STREAM_NEXT_ACTION, b"[%b]" % token)
        values, token = streamed.read_batch(answer, token)
        for value in values:
            yield value


def _is_stream(result: bytes) -> bool:
    try:
        opened = _read(result)
    except (DecodeError, RecursionError):
        return False
    return opened.values is not UNSET or bytes(opened.token).isdigit()
