"""Text to values: each kind of scalar has one spelling, and nothing is guessed. A leaf.

Each function takes the text as the file has it and raises ValueError with the end of the sentence
``closeTimeout: ...``.
"""

import math
import re
from enum import Enum
from typing import Final, TypeVar

from wsf.configuration.words import did_you_mean, listing, quoted
from wsf.settings import ByteCount, Seconds

__all__ = ("boolean", "byte_count", "duration", "integer", "member", "number")

E = TypeVar("E", bound=Enum)

INFINITE: Final = "Infinite"

#: how .NET writes TimeSpan.MaxValue, which WCF takes for Infinite
_LONGEST: Final = "10675199.02:48:05.4775807"

_BOOLEANS: Final = {"true": True, "false": False}
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES: Final = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

# Digits are bounded: no text becomes a number that a clock, a socket or a C library cannot take.
_TIME_SPAN: Final = re.compile(
    r"(?:([0-9]{1,8})\.)?([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,7})?)"
)
_UNITS: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h)")
_SIZE: Final = re.compile(r"([0-9]{1,15})(|KiB|MiB|GiB)")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def boolean(text: str) -> bool:
    """``true`` or ``false``; .NET writes ``True`` and ``False``, too, and reads any case."""
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{quoted(text)} is neither true nor false")
    return _BOOLEANS[text.lower()]


def integer(text: str) -> int:
    """A whole number, in digits."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a whole number")
    return int(text)


def number(text: str) -> float:
    """A number in digits, with a point at most."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a number")
    return float(text)


def duration(text: str) -> Seconds:
    """``[d.]hh:mm:ss[.f]`` or ``Infinite`` as WCF writes them; ``500ms``, ``30s``, ``1.5m`` or ``2h``."""
    if text in (INFINITE, _LONGEST):
        return math.inf
    if found := _UNITS.fullmatch(text):
        return float(found[1]) * _SECONDS[found[2]]
    if found := _TIME_SPAN.fullmatch(text):
        days, hours, minutes, seconds = found.groups(default="0")
        return int(days) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    raise ValueError(f"{quoted(text)} is not a duration: write hh:mm:ss, 30s or {INFINITE}")


def byte_count(text: str) -> ByteCount:
    """``65536``, ``64KiB``, ``1MiB`` or ``2GiB``. ``64kB`` is refused: it says 64,000 or 65,536."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not a size: write bytes, as 65536 or 64KiB")
    return int(found[1]) * _BYTES[found[2]]


def member(kind: type[E], text: str) -> E:
    """The member of an enumeration whose value is this very word."""
    words = {str(one.value): one for one in kind}
    if text not in words:
        raise ValueError(f"{quoted(text)} is not {listing(words)}{did_you_mean(text, words)}")
    return words[text]
