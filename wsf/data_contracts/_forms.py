"""What a type is in JSON: how a value of it is read, and written where the value alone does not say.

msgspec reads whatever holds no data contract and coerces nothing. What holds one is opened here one level at
a time, because a contract wants the bytes of its members.
"""

import datetime
import enum
import json
import types
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

from attrs import frozen
from msgspec import Raw, Struct
from msgspec.json import Decoder

from wsf.data_contracts._hints import ARRAYS, UNIONS, name_of
from wsf.data_contracts._refusal import REFUSALS, Refused, refused, words_of_kinds
from wsf.errors import ContractError

__all__ = (
    "ANY_KIND",
    "Build",
    "Fast",
    "Form",
    "Reader",
    "Row",
    "Writer",
    "any_form",
    "fast_row",
    "fast_whole",
    "is_native",
    "kind_of",
    "native_form",
    "read_each",
    "split_object",
)

#: reads one JSON value; raises one of REFUSALS
Reader: TypeAlias = Callable[[Raw | bytes], Any]
#: gives what msgspec shall write for a value, as ``plain`` does; raises Refused
Writer: TypeAlias = Callable[[Any], Any]
#: makes a value of what msgspec decoded, and adds the members that it met to the tally's only number
Build: TypeAlias = Callable[[Any, list[int]], Any]


class Row(Struct):
    """The members of an object in order, as msgspec reads and writes them: the base of such classes."""


@frozen
class Fast:
    """How msgspec alone reads a type, with the contracts' constructors called afterwards.

    Right only for a text whose members are as many as ``build`` met: then none came twice or was unknown.
    """

    shape: Any  # the type that msgspec decodes
    build: Build | None  # None: that is the value already
    depth: int  # of the deepest text that can be read
    members: int = 0  # of every value, if msgspec makes it whole: then ``build`` only counts
    row: int = 0  # of every row, if it decodes rows
    make: Callable[[Any], Any] | None = None  # makes the value of a row


def fast_whole(shape: Any, depth: int, members: int) -> Fast:
    """What msgspec makes whole, and always of as many members."""

    def count(value: Any, tally: list[int]) -> Any:
        tally[0] += members
        return value

    return Fast(shape, count if members else None, depth, members)


def fast_row(shape: Any, depth: int, members: int, make: Callable[[Any], Any]) -> Fast:
    """What is made of a row, which msgspec gives only with all of its members."""

    def build(row: Any, tally: list[int]) -> Any:
        tally[0] += members
        return make(row)

    return Fast(shape, build, depth, row=members, make=make)


@frozen
class Form:
    """One type's form in JSON.

    Attributes:
        kinds: The kinds of JSON value that it may be; a union is told apart by them.
        write: None where the value itself says how it is written.
        fast: Asked for once all contracts are described; None if there is no fast way.
        contracts: The data contracts that it names.
    """

    read: Reader
    kinds: frozenset[str]
    write: Writer | None = None
    fast: Callable[[], Fast | None] = lambda: None
    contracts: tuple[Any, ...] = ()


class _Key:
    """A member's name as it was met. Compared by identity, so that a dict keeps a name that comes twice."""

    __slots__ = ("name",)

    def __init__(self, _: type, name: str) -> None:  # as msgspec calls its hook
        self.name = name


_split: Final = Decoder(dict[_Key, Raw], dec_hook=_Key).decode
_KIND_OF_BYTE: Final = {
    b'"': "string",
    b"{": "object",
    b"[": "array",
    b"t": "boolean",
    b"f": "boolean",
    b"n": "null",
}
ANY_KIND: Final = frozenset({*_KIND_OF_BYTE.values(), "number"})
_STRING: Final = frozenset({"string"})
_NUMBER: Final = frozenset({"number"})
_KIND_OF_TYPE: Final = {
    None: frozenset({"null"}),
    types.NoneType: frozenset({"null"}),
    bool: frozenset({"boolean"}),
    int: _NUMBER,
    float: _NUMBER,
    str: _STRING,
    bytes: _STRING,
    datetime.datetime: _STRING,
    datetime.date: _STRING,
    datetime.time: _STRING,
    datetime.timedelta: _STRING,
    uuid.UUID: _STRING,
}


def split_object(raw: Raw | bytes) -> list[tuple[str, Raw]]:
    """The members of one object in their order, those that come twice as well; raises one of REFUSALS."""
    return [(key.name, value) for key, value in _split(raw).items()]


def kind_of(raw: Raw | bytes) -> str:
    """The kind of a JSON value, by its first character."""
    text = memoryview(raw)
    start = next((i for i, byte in enumerate(text) if byte not in b" \t\r\n"), 0)
    return _KIND_OF_BYTE.get(bytes(text[start : start + 1]), "number")


def is_native(hint: Any) -> bool:
    """Whether msgspec reads a type just as it is meant here.

    No object is, for a name could come twice, and no set, for its items could hash alike.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin is None:
        return hint in _KIND_OF_TYPE or _is_enum(hint)
    if origin in UNIONS or origin in ARRAYS:
        return all(is_native(arg) for arg in args if arg is not ...)
    return origin is Literal


def native_form(hint: Any, bounds: Any = None) -> Form:
    """The form of a native type, or of one with bounds (an Annotated of msgspec.Meta).

    Raises:
        ContractError: msgspec cannot tell its values apart.
    """
    decoded = hint if bounds is None else bounds
    try:
        read = Decoder(decoded).decode
    except TypeError as error:
        raise ContractError(f"{name_of(hint)} has no JSON form: {error}") from error
    fast = Fast(decoded, None, _depth(hint))
    return Form(read, _kinds(hint), fast=lambda: fast)


def any_form() -> Form:
    """The form of Any: what JSON itself says, in Python's own types."""
    decode = Decoder().decode

    def read(raw: Raw | bytes) -> Any:
        value = decode(raw)
        text = bytes(raw)
        if b"{" in text:  # msgspec keeps the last of two members with one name
            json.loads(text, object_pairs_hook=_refuse_twins, parse_int=str, parse_float=str)
        return value

    return Form(read, ANY_KIND)


def read_each(read: Reader, values: Iterable[tuple[object, Raw]]) -> Iterable[Any]:
    """Each value, read; a refusal tells which one it was."""
    for place, raw in values:
        try:
            yield read(raw)
        except REFUSALS as error:
            raise refused(error, f"[{place}]") from error.__cause__


def expect(kinds: frozenset[str], raw: Raw | bytes) -> Refused:
    """The refusal of a value of another kind."""
    got = words_of_kinds(frozenset({kind_of(raw)})).replace("true or false", "a boolean")
    return Refused(f"expected {words_of_kinds(kinds)}, got {got}")


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _kinds(hint: Any) -> frozenset[str]:
    origin, args = get_origin(hint), get_args(hint)
    if origin in UNIONS:
        return frozenset().union(*map(_kinds, args))
    if origin is Literal:
        return frozenset().union(*(_KIND_OF_TYPE[type(arg)] for arg in args))
    if origin is not None:
        return frozenset({"array"})
    if _is_enum(hint):
        return frozenset().union(*(_KIND_OF_TYPE.get(type(item.value), _NUMBER) for item in hint))
    return _KIND_OF_TYPE[hint]


def _depth(hint: Any) -> int:
    origin, args = get_origin(hint), get_args(hint)
    if origin is None or origin is Literal:
        return 0
    inner = max((_depth(arg) for arg in args if arg is not ...), default=0)
    return inner if origin in UNIONS else inner + 1


def _refuse_twins(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("a member appears twice")
