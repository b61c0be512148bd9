"""What one JSON text may cost, checked on its bytes before anything is made of it.

Each check has a cheap upper bound, which nearly every text passes, and an exact count for the others.
"""

import re
from array import array
from itertools import accumulate
from typing import Final

from attrs import field as _field
from attrs import frozen, validators

__all__ = ("DEFAULT_QUOTAS", "JsonQuotas", "excess", "is_surely_within")


@frozen
class JsonQuotas:
    """The bounds of one JSON text that is read. They hold for the parts, too, that no contract knows.

    Attributes:
        max_depth: Arrays and objects inside one another; the outermost is the first. Default 64.
            WCF: maxDepth of readerQuotas, 32.
        max_items_in_object_graph: Values in the whole text: itself, each member, each element. Default None:
            the size of the message bounds them. WCF: maxItemsInObjectGraph, 2,147,483,647.
        max_number_length: Characters of one number: sign, digits, point and exponent. Default 1,000: every
            double fits in full, and reading one takes microseconds. A Decimal, which is a string, has this
            default always.

    Raises:
        ValueError: A quota is less than 1.

    WCF: XmlDictionaryReaderQuotas, and MaxItemsInObjectGraph of DataContractJsonSerializerSettings.
    """

    max_depth: int = _field(default=64, validator=validators.ge(1))
    max_items_in_object_graph: int | None = _field(
        default=None, validator=validators.optional(validators.ge(1))
    )
    max_number_length: int = _field(default=1000, validator=validators.ge(1))


DEFAULT_QUOTAS: Final = JsonQuotas()

# possessive, and an open string ends with the text: every byte is looked at once, whatever a peer sends
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_WHITE_SPACE: Final = b" \t\r\n"
_BRACKETS: Final = b"[]{}"
_OTHERS: Final = bytes(set(range(256)) - set(_BRACKETS))
_STEPS: Final = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")  # as signed bytes: one down, one up
_NUMBERS: Final = bytes(48 if byte in b"+-.0123456789Ee" else 32 for byte in range(256))  # "0" or " "


def excess(text: bytes, quotas: JsonQuotas) -> str | None:
    """Which quota a JSON text is over, in words, or None; what is no JSON may be within all of them."""
    is_shallow = text.count(b"[") + text.count(b"{") <= quotas.max_depth
    if is_shallow and is_surely_within(text, quotas):
        return None
    bare = _STRING.sub(b'""', text).translate(None, _WHITE_SPACE)
    steps = array("b", bare.translate(_STEPS, _OTHERS))
    if max(accumulate(steps), default=0) > quotas.max_depth:
        return f"nested deeper than {quotas.max_depth}"
    most = quotas.max_items_in_object_graph
    if most is not None and _containers(bare) - bare.count(b"[]") - bare.count(b"{}") > most:
        return f"more than {most} values"
    if _has_long_number(bare, quotas.max_number_length):
        return f"a number of more than {quotas.max_number_length} characters"
    return None


def is_surely_within(text: bytes, quotas: JsonQuotas) -> bool:
    """Whether the items and numbers of a text are within their quotas; False if it takes an exact count."""
    most, length = quotas.max_items_in_object_graph, quotas.max_number_length
    if most is not None and _containers(text) > most:
        return False
    return len(text) <= length or not _has_long_number(text, length)


def _containers(text: bytes) -> int:
    """The number of values, were no container empty and no string in the text."""
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")


def _has_long_number(text: bytes, length: int) -> bool:
    return b"0" * (length + 1) in text.translate(_NUMBERS)
