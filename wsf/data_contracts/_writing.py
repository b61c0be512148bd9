"""How a value says by itself what it is in JSON: into what msgspec shall write."""

import collections.abc
import datetime
import enum
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from math import isfinite
from types import NoneType
from typing import Any, Final

from msgspec import Raw
from msgspec.json import Encoder

from wsf.data_contracts._hints import is_contract, name_of
from wsf.data_contracts._quotas import DEFAULT_QUOTAS
from wsf.data_contracts._refusal import Refused, refused
from wsf.data_contracts._surrogates import unstructure_hook

__all__ = ("AS_IT_IS", "decimal_text", "encode", "encode_plain", "items_of", "key_of", "plain")

# "/" is not escaped as WCF does: "\/" is the same character, and two bytes for each link in a chat
encode_plain: Final = Encoder().encode

AS_IT_IS: Final = frozenset({str, int, bool, NoneType, Raw})
_ARRAYS: Final = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set)
#: characters of the longest Decimal that is written: as many as are read by default, and no exponent of a
#: million is written out
_DECIMAL_LENGTH: Final = DEFAULT_QUOTAS.max_number_length


def encode(value: Any) -> bytes:
    """A plain value as JSON.

    Raises:
        Refused: It holds a lone surrogate, or an int of too many digits.
    """
    try:
        return encode_plain(value)
    except (ValueError, TypeError) as error:
        raise refused(error) from error


def plain(value: Any) -> Any:
    """A value as msgspec shall write it: by itself it writes NaN as null, and no unknown members.

    Raises:
        Refused: It has no JSON form.
    """
    kind = type(value)
    if kind in AS_IT_IS:
        return value
    write = _WRITERS.get(kind)
    return write(value) if write is not None else _plain_by_base(value, kind)


def _plain_by_base(value: Any, kind: type[Any]) -> Any:
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if is_contract(kind):
        from wsf.data_contracts._contract import contract_of  # noqa: PLC0415 - contracts need this module

        return contract_of(kind).plain_object(value)
    if (hook := unstructure_hook(kind)) is not None:
        written = hook(value)
        if type(written) is kind:
            raise Refused(f"the unstructure hook of {name_of(kind)} gives no other type")
        return plain(written)
    for base, write in _WRITERS.items():
        if isinstance(value, base):
            return write(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, _ARRAYS) and not isinstance(value, bytearray | memoryview):
        return _array(value)
    raise Refused(f"{name_of(kind)} has no JSON form")


def items_of(value: Any) -> Iterable[Any]:
    """The items of what is written as an array; raises Refused if it is none."""
    if isinstance(value, str | bytes | bytearray | memoryview) or not isinstance(value, _ARRAYS):
        raise Refused(f"expected a list, got {name_of(type(value))}")
    return value


def key_of(key: Any) -> str:
    """The text of a dict's key; raises Refused if it has no plain one."""
    match key:
        case enum.Enum():
            return key_of(key.value)
        case str():
            return key
        case bool() | datetime.datetime():
            pass
        case int() | uuid.UUID():
            return str(key)
        case datetime.date():
            return key.isoformat()
        case _:
            pass
    raise Refused(f"{name_of(type(key))} cannot be a key in JSON")


def decimal_text(value: Decimal) -> str:
    """A Decimal in digits, without exponent; raises Refused for what has no such form."""
    if not value.is_finite():
        raise Refused(f"JSON has no {value}")
    text = str(value)
    if "E" in text:
        is_near = abs(value.adjusted()) <= _DECIMAL_LENGTH and len(text) <= 2 * _DECIMAL_LENGTH
        text = format(value, "f") if is_near else ""
    if not 0 < len(text) <= _DECIMAL_LENGTH:
        raise Refused(f"a Decimal of more than {_DECIMAL_LENGTH} characters")
    return text


def _float(value: float) -> float:
    if not isfinite(value):
        raise Refused(f"JSON has no {value}")
    return float(value)


def _array(values: Iterable[Any]) -> Any:
    if AS_IT_IS.issuperset(map(type, values)):
        return values if type(values) in {list, tuple} else list(values)
    written: list[Any] = []
    for place, value in enumerate(values):
        try:
            written.append(plain(value))
        except (Refused, RecursionError) as error:
            raise refused(error, f"[{place}]") from error.__cause__
    return written


def _set(values: Iterable[Any]) -> list[Raw]:
    """A set has no order: it is written in that of its bytes, so that equal sets are written alike."""
    return [Raw(text) for text in sorted(encode(plain(value)) for value in values)]


def _object(values: Mapping[Any, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, value in values.items():
        text = key_of(key)
        if text in written:
            raise Refused("two keys are written alike")
        try:
            written[text] = plain(value)
        except (Refused, RecursionError) as error:
            raise refused(error, "[...]") from error.__cause__
    return written


def _moment(value: datetime.datetime | datetime.time) -> Any:
    offset = value.utcoffset()
    if offset is not None and offset % datetime.timedelta(minutes=1):
        raise Refused("RFC 3339 has no offset with seconds")
    return value


def _itself(value: Any) -> Any:
    return value


_WRITERS: Final[dict[type[Any], Callable[[Any], Any]]] = {
    float: _float,
    list: _array,
    tuple: _array,
    dict: _object,
    set: _set,
    frozenset: _set,
    Decimal: decimal_text,
    datetime.datetime: _moment,
    datetime.date: _itself,
    datetime.time: _moment,
    datetime.timedelta: _itself,
    uuid.UUID: _itself,
    bytes: _itself,
    str: str,
    int: int,
}
