"""What a settings class may say about its fields. A leaf: no file is read here.

A settings class is a frozen attrs class that is also the working object. Its fields are snake_case here
and camelCase in a configuration file; ``wsf.configuration`` reads the annotations and marks below.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

import attrs

__all__ = ("ByteCount", "Seconds", "finite", "no_effect", "refused")

#: A duration: a float of seconds; ``math.inf`` is WCF's ``Infinite``.
#: Files write ``hh:mm:ss``, ``30s`` or ``Infinite``.
Seconds = Annotated[float, "seconds"]

#: A size: an int of bytes. Files write a number or ``64KiB``.
ByteCount = Annotated[int, "bytes"]

NO_EFFECT: Final = "wsf.no_effect"
REFUSED: Final = "wsf.refused"


def finite(seconds: float) -> float | None:
    """A duration as asyncio wants it: None where it is ``Infinite``."""
    return seconds if math.isfinite(seconds) else None


def no_effect(reason: str, *, default: Any, **field: Any) -> Any:
    """A field WCF has and wsf has no use for: another value than ``default`` is warned about by name."""
    return _marked(NO_EFFECT, reason, default, field)


def refused(reason: str, *, default: Any, **field: Any) -> Any:
    """A field whose other values would promise what wsf does not do: they are errors, with the reason."""
    return _marked(REFUSED, reason, default, field)


def _marked(mark: str, reason: str, default: Any, field: Mapping[str, Any]) -> Any:
    return attrs.field(default=default, metadata={mark: reason}, **field)
