"""How the program writes its log: one record, one line, whatever a peer or a service puts into it."""

import logging
import re
from typing import Any, Final

__all__ = ("OneLineFormatter", "plural")

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

#: what a terminal or a log reader would act upon: controls, line separators, marks that turn text around
_ACTIVE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: what stands before each line of a traceback, so that none of them can pass for a record
INDENT: Final = "    "


class OneLineFormatter(logging.Formatter):
    """Escapes what could forge a record or a terminal's state; the lines of a traceback are indented."""

    def __init__(self) -> None:
        super().__init__(LOG_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's one line."""
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """The traceback, each line apart from the records."""
        lines = super().formatException(ei).split("\n")
        return "\n".join(INDENT + _escaped(line) for line in lines)


def plural(number: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _escaped(text: str) -> str:
    return _ACTIVE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
