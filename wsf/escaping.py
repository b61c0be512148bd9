"""What a peer's text may not do to whoever reads it: start a line, move a cursor, turn text around."""

import re
from typing import Final

__all__ = ("ACTIVE", "escaped", "escaped_json")

#: what a terminal or a log reader would act upon: controls, line separators, marks that turn text around
ACTIVE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """One line, whatever was in it: Python's escapes."""
    return ACTIVE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escaped_json(document: str) -> str:
    """The same for a compact JSON document, which means what it meant: such marks stand only in its texts."""
    return ACTIVE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
