"""How the commands write: one JSON document a line for a program, calls as one reads them for a person."""

import os
import shutil
from io import TextIOWrapper
from typing import Any, Final, TextIO

from msgspec import Raw
from msgspec.json import decode, encode
from msgspec.json import format as layout

from wsf.escaping import escaped, escaped_json

__all__ = ("Output",)

#: the line breaks of JSON itself: none stands in a text
_ONE_LINE: Final = bytes.maketrans(b"\r\n\t", b"   ")

BOLD: Final = "\x1b[1m"
PLAIN: Final = "\x1b[0m"


class Output:
    """Standard output or standard error, for a program or, on a terminal, for a person.

    Every method raises BrokenPipeError when nobody reads any more.

    Attributes:
        is_terminal: Whether a person looks on.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream: Any = stream
        self.is_terminal = stream.isatty()
        self._is_coloured = (
            self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        if isinstance(stream, TextIOWrapper):
            if self.is_terminal:
                stream.reconfigure(errors="backslashreplace")
            else:
                stream.reconfigure(encoding="utf-8")  # what JSON is, whatever the locale

    def value(self, value: bytes) -> None:
        """A result, or one value of a stream."""
        self.line(self._laid_out(value) if self.is_terminal else _document(value))

    def called(self, method: str, parameters: bytes, answer: bytes | None) -> None:
        """What the service has called here, and what it was answered, if it waits for that."""
        self._call(method, parameters, "answer", answer)

    def returned(self, method: str, parameters: bytes, result: bytes) -> None:
        """What has been called there, and what that returned."""
        self._call(method, parameters, "result", result)

    def fault(self, code: int, reason: str, detail: bytes | None) -> None:
        """What a call was answered with instead of a result."""
        if not self.is_terminal:
            data = b"" if detail is None else b',"data":%b' % detail
            self.line(_document(b'{"code":%d,"message":%b%b}' % (code, encode(reason), data)))
            return
        self.line(f"{self._bold(f'fault {code}:')} {escaped(reason)}")
        if detail is not None:
            self.line(self._laid_out(detail))

    def text(self, text: str) -> None:
        """A text of a byte stream: as it is, but for what would act upon a terminal."""
        self.line(escaped(text) if self.is_terminal else text)

    def line(self, text: str) -> None:
        """One line, at once: who reads a pipe waits for it."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def _call(self, method: str, parameters: bytes, what: str, value: bytes | None) -> None:
        if not self.is_terminal:
            said = b"" if value is None else b',"%b":%b' % (what.encode(), value)
            self.line(_document(b'{"method":%b,"params":%b%b}' % (encode(method), parameters, said)))
            return
        given = decode(parameters, type=list[Raw]) if parameters.lstrip()[:1] == b"[" else [Raw(parameters)]
        arguments = ", ".join(_spaced(bytes(argument)) for argument in given)
        told = "" if value is None else f" -> {_spaced(value)}"
        self.line(f"{self._bold(escaped(method))}({arguments}){told}")

    def _bold(self, text: str) -> str:
        return f"{BOLD}{text}{PLAIN}" if self._is_coloured else text

    def _laid_out(self, value: bytes) -> str:
        """On one line if it fits, else indented."""
        line = _spaced(value)
        fits = len(line) <= shutil.get_terminal_size().columns
        return line if fits else _each_line(value)


def _document(value: bytes) -> str:
    return escaped_json(_formatted(value, -1))


def _spaced(value: bytes) -> str:
    return escaped_json(_formatted(value, 0))


def _each_line(value: bytes) -> str:
    return "\n".join(escaped_json(line) for line in _formatted(value, 2).split("\n"))


def _formatted(value: bytes, indent: int) -> str:
    """With this indent; what is too deep for that stays as it is, on one line."""
    try:
        return layout(value, indent=indent).decode()
    except RecursionError:
        return value.translate(_ONE_LINE).decode()
