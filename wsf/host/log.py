"""How the program writes its log: one record, one line, whatever a peer or a service puts into it."""

import logging
from typing import Any, Final

from wsf.escaping import escaped

__all__ = ("OneLineFormatter", "plural")

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

#: what stands before each line of a traceback, so that none of them can pass for a record
INDENT: Final = "    "


class OneLineFormatter(logging.Formatter):
    """Escapes what could forge a record or a terminal's state; the lines of a traceback are indented."""

    def __init__(self) -> None:
        super().__init__(LOG_FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's one line."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        """The traceback, each line apart from the records."""
        lines = super().formatException(ei).split("\n")
        return "\n".join(INDENT + escaped(line) for line in lines)


def plural(number: int, noun: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
