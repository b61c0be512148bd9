"""Which types a data member may have, and how a value of each is read.

msgspec reads whatever holds no data contract and coerces nothing. Containers of data contracts are opened
here one level at a time, because a contract wants the bytes of its members.
"""

import collections.abc
import enum
import types
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

import attrs
from msgspec import Raw
from msgspec.json import Decoder

from wsf.data_contracts._refusal import REFUSALS, refused
from wsf.errors import ContractError

__all__ = ("Reader", "reader")

#: reads one JSON value; raises one of REFUSALS
Reader: TypeAlias = Callable[[Raw], Any]

_PLAIN = frozenset({Any, None, types.NoneType, str, int, float, bool, list, dict, tuple})
_UNIONS = frozenset({Union, types.UnionType})
_ARRAYS = frozenset({list, tuple, collections.abc.Sequence})
_OBJECTS = frozenset({dict, collections.abc.Mapping})


def reader(hint: Any, contract: Callable[[type[Any]], Reader]) -> Reader:
    """The reader of a member type; ``contract`` gives the reader of a data contract.

    Raises:
        ContractError: The type has no JSON form.
    """
    hint = getattr(hint, "__supertype__", hint)
    if not _holds_contracts(hint):
        return _decoder(hint)
    if isinstance(hint, type):
        return contract(hint)
    origin, args = get_origin(hint), get_args(hint)
    match [arg for arg in args if arg not in (types.NoneType, ...)]:
        case [_, value] if origin in _OBJECTS:
            return _object_reader(reader(value, contract))
        case [inner] if origin in _UNIONS:
            return _optional_reader(reader(inner, contract))
        case [inner] if origin is not tuple or ... in args:
            return _array_reader(reader(inner, contract), tuple if origin is tuple else list)
        case _:
            pass
    raise ContractError(f"{hint} cannot be told apart on the wire: give its data contracts one class")


def _holds_contracts(hint: Any) -> bool:
    hint = getattr(hint, "__supertype__", hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal or (origin is None and hint in _PLAIN):
        return False
    if isinstance(hint, type) and origin is None and (attrs.has(hint) or issubclass(hint, enum.Enum)):
        return attrs.has(hint)
    if origin in _UNIONS or origin in _ARRAYS or (origin in _OBJECTS and args[:1] == (str,)):
        held = [_holds_contracts(arg) for arg in args if arg is not ...]  # each, for any may be refused
        return any(held)
    name = hint.__qualname__ if isinstance(hint, type) and origin is None else str(hint)
    raise ContractError(f"{name} has no JSON form: use an attrs class, str, int, float, bool, list or dict")


def _decoder(hint: Any) -> Reader:
    try:
        return Decoder(hint).decode
    except TypeError as error:
        raise ContractError(f"{hint} has no JSON form: {error}") from error


def _optional_reader(read: Reader) -> Reader:
    return lambda raw: None if bytes(raw) == b"null" else read(raw)


def _array_reader(read: Reader, collect: Callable[[Iterable[Any]], Any]) -> Reader:
    split = Decoder(list[Raw]).decode
    return lambda raw: collect(_read_each(read, enumerate(split(raw))))


def _object_reader(read: Reader) -> Reader:
    split = Decoder(dict[str, Raw]).decode

    def read_object(raw: Raw) -> dict[str, Any]:
        values = split(raw)
        # the keys are the peer's text: a refusal does not show them
        return dict(zip(values, _read_each(read, (("...", value) for value in values.values())), strict=True))

    return read_object


def _read_each(read: Reader, values: Iterable[tuple[object, Raw]]) -> Iterable[Any]:
    for place, raw in values:
        try:
            yield read(raw)
        except REFUSALS as error:
            raise refused(error, f"[{place}]") from error.__cause__
