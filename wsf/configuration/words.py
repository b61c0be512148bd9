"""How a message about a file spells things: the nearest known word, quoted text, camelCase. A leaf."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

__all__ = ("camel_case", "did_you_mean", "listing", "nearest", "quoted")

#: characters of the operator's own text that a message repeats: enough to find it, and still one line
MAX_QUOTED: Final = 60

#: characters; nobody mistypes a word longer than this, and looking for its neighbours takes time
MAX_MISTYPED: Final = 100

#: how alike two words are that may be one mistyped (difflib's ratio, and its own default)
LIKENESS: Final = 0.6


def nearest(word: str, known: Iterable[str], likeness: float = LIKENESS) -> str | None:
    """The known word that is most like this one, whatever the case of its letters."""
    if len(word) > MAX_MISTYPED:
        return None
    spelling = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(word.lower(), spelling, 1, likeness)
    return spelling[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A blank and ``(did you mean 'binding'?)`` for the nearest known word, or nothing."""
    near = nearest(word, known)
    return f" (did you mean {near!r}?)" if near else ""


def quoted(text: str) -> str:
    """Text of the file as one short, printable line."""
    return repr(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 3] + "...")


def listing(words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last


def camel_case(name: str) -> str:
    """A field's name as files write it: ``close_timeout`` is ``closeTimeout``."""
    return re.sub(r"_+([a-z0-9])", lambda found: found[1].upper(), name.strip("_"))
