"""The data contracts of the tests, and what every refusal has in common."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Literal, NewType, Optional

import pytest
from attrs import define, field

from wsf.data_contracts import ExtensionData, read
from wsf.errors import CloseCode, SerializationError

SECRET = "hunter2"  # stands for whatever a peer may send
CLOSE_REASON = 123  # bytes that a close frame leaves for its reason (RFC 6455 section 5.5)


@define
class Chatter:
    nickname: str
    room: str
    message: str
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Closed:
    nickname: str


class Colour(IntEnum):
    RED = 0
    GREEN = 5


UserId = NewType("UserId", str)


@define
class Inner:
    x: int = 0
    next: Optional["Inner"] = None
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Values:
    i: int = 0
    d: float = 0.0
    b: bool = False
    s: str = ""
    ni: int | None = None
    li: list[int] | None = None
    m: dict[str, int] = field(factory=dict)
    c: Colour = Colour.RED
    k: Literal["join", "leave"] = "join"
    u: UserId = UserId("")
    o: Any = None
    n: Inner | None = None
    ln: list[Inner] = field(factory=list)
    tn: tuple[Inner, ...] = ()
    mn: Mapping[str, Sequence[Inner | None]] = field(factory=dict)


def body(**members: str) -> bytes:
    """An object whose members are given as JSON, in the order given."""
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def refusal(cls: type[Any], received: bytes) -> str:
    with pytest.raises(SerializationError) as caught:
        read(cls, received)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    assert len(line.encode()) <= CLOSE_REASON
    assert caught.value.close_code is CloseCode.INVALID_PAYLOAD
    return line
