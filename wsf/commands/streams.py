"""A streamed result without its contract, pulled by requests: docs/json-rpc.md has the wire."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from msgspec import DecodeError, Raw, Struct
from msgspec.json import decode

__all__ = ("ABORT", "NEXT", "values_of")

#: asks for the next values of a stream
NEXT: Final = "$/enumerator/next"

#: ends a stream before its time
ABORT: Final = "$/enumerator/abort"


class _Stream(Struct, forbid_unknown_fields=True):
    """What a call is answered with that streams: where to ask for more, and perhaps the first values."""

    token: Raw
    values: list[Raw] = []


class _Values(Struct):
    """What a request for more is answered with."""

    values: list[Raw] = []
    finished: bool = False


async def values_of(
    result: bytes, ask: Callable[[str, bytes], Awaitable[bytes]], tell: Callable[[str, bytes], None]
) -> AsyncGenerator[bytes, None]:
    """The values of a stream one by one, or the result itself where it is none.

    Args:
        ask: Calls a method of the service, and gives its result.
        tell: Calls one without waiting for an answer.
    """
    stream = _stream_of(result)
    if stream is None:
        yield result
        return
    parameters = b'{"token":%b}' % bytes(stream.token)
    values, is_finished = stream.values, False
    try:
        while True:
            for value in values:
                yield bytes(value)
            if is_finished:
                return
            more = decode(await ask(NEXT, parameters), type=_Values)
            values, is_finished = more.values, more.finished
    finally:
        if not is_finished:
            tell(ABORT, parameters)


def _stream_of(result: bytes) -> _Stream | None:
    try:
        return decode(result, type=_Stream)
    except DecodeError:
        return None
