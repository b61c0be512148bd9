"""What the two sides of a stream say to each other, as JSON is read."""

from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

__all__ = ("NULL", "read_answer", "read_array", "read_opened", "read_token")

NULL: Final = Raw(b"null")


class _Token(Struct):
    token: Raw


class _Opened(Struct):
    token: Raw = NULL
    values: list[Raw] | None = None


class _Answer(Struct):
    values: list[Raw] | None = None
    finished: bool = False


read_array: Final = Decoder(list[Raw]).decode
read_token: Final = Decoder(_Token).decode
read_opened: Final = Decoder(_Opened).decode
read_answer: Final = Decoder(_Answer).decode
