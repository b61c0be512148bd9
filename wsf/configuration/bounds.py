"""What a file may be before anything is understood of it: its size, its characters, its depth, its width.

A configuration file is written by an operator, and still read as if an enemy had written it: the same
reader runs under ``--check`` on files that nobody has looked at yet.
"""

import re
from typing import Final

from wsf.configuration.document import Place, refusal

__all__ = (
    "MAX_ALIASES",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "MAX_PROBLEMS",
    "Nodes",
    "check_depth",
    "decoded",
    "end_of",
)

#: bytes of a file: room for all the nodes below and a comment on each
MAX_BYTES: Final = 1024 * 1024

#: lists and mappings, or elements, inside one another: the model itself needs seven
MAX_DEPTH: Final = 64

#: keys, values, elements and attributes of a file, an alias counted as all that it stands for: hundreds of
#: services fit
MAX_NODES: Final = 10_000

#: aliases of a file: each saves an operator a few lines, and none of ours needs one
MAX_ALIASES: Final = 100

#: mistakes that are gathered of one mapping or list, and of the names of a file: nobody reads on
MAX_PROBLEMS: Final = 100

_BYTE_ORDER_MARK: Final = "\ufeff"


class Nodes:
    """Counts the nodes of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def add(self, place: Place) -> None:
        """Count one more.

        Raises:
            ConfigurationError: It is one too many.
        """
        self._count += 1
        if self._count > MAX_NODES:
            raise refusal(self._file, place, f"the file has more than {MAX_NODES} nodes")


def check_depth(file: str, place: Place, depth: int) -> None:
    """Refuse what stands too deep.

    Raises:
        ConfigurationError: ``depth`` is over the bound.
    """
    if depth > MAX_DEPTH:
        raise refusal(file, place, f"nested more than {MAX_DEPTH} levels deep")


def decoded(source: bytes | str, file: str, forbidden: re.Pattern[str]) -> str:
    """The text of a file, without its byte order mark.

    Args:
        source: The file's content.
        file: Its name, for the message.
        forbidden: Characters that the notation does not take.

    Raises:
        ConfigurationError: Too big, not UTF-8, or a forbidden character.
    """
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    if len(data) > MAX_BYTES:
        raise refusal(file, Place(1, 1), f"the file has more than {MAX_BYTES} bytes")
    try:
        text = data.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix(_BYTE_ORDER_MARK)
        raise refusal(file, end_of(before), f"byte 0x{data[error.start]:02x} is not UTF-8") from None
    found = forbidden.search(text)
    if found is not None:
        what = (
            "a tab is not allowed: indent with spaces" if found[0] == "\t" else f"{found[0]!a} is not allowed"
        )
        raise refusal(file, end_of(text[: found.start()]), what)
    return text


def end_of(text: str) -> Place:
    """The place behind a text."""
    return Place(text.count("\n") + 1, len(text) - text.rfind("\n"))
