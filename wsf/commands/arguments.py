"""What both commands are told on the command line: where to, as whom, for how long, and in which words."""

import argparse
import math
from typing import Final
from urllib.parse import urlsplit

from msgspec import DecodeError
from msgspec.json import format as layout

from wsf.client import SecurityToken

__all__ = ("add_arguments", "add_call", "address", "json_document", "parameters")

#: s to connect, and for each answer: as a person waits
DEFAULT_TIMEOUT: Final = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The address, and what goes with it."""
    parser.add_argument(
        "address", metavar="ADDRESS", type=address, help="of the endpoint: ws://, wss://, http:// or https://"
    )
    parser.add_argument(
        "--answer",
        metavar="JSON",
        type=json_document,
        default=b"null",
        help="what the service is answered when it calls here and waits (default: null)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        help=f"to connect, and for each answer (default: {DEFAULT_TIMEOUT:g}; inf: for ever)",
    )
    parser.add_argument(
        "--header",
        metavar="NAME:VALUE",
        type=_header,
        action="append",
        default=[],
        help="sent with the handshake, such as 'Authorization: Bearer ...'; several are given one by one",
    )
    parser.add_argument("--sub-protocol", metavar="NAME", help="offered in the handshake")
    parser.add_argument(
        "--ca", metavar="FILE", help="whose certificates are trusted, in PEM (default: this system's)"
    )


def add_call(parser: argparse.ArgumentParser, *, required: bool, summary: str) -> None:
    """An operation and its arguments."""
    parser.add_argument("operation", metavar="OPERATION", nargs=None if required else "?", help=summary)
    parser.add_argument(
        "arguments",
        metavar="ARGUMENTS",
        nargs="?",
        type=parameters,
        default=b"[]",
        help='in JSON: by name, \'{"symbol": "ACME"}\', or in order, \'["ACME"]\' (default: none)',
    )


def address(text: str) -> str:
    """An endpoint's address, as a client has it: ws or wss."""
    scheme, _, rest = text.partition("://")
    try:
        parts = urlsplit(text)
        known = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or scheme.lower() not in {"ws", "wss", "http", "https"}:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: ws://host:port/path")
    return f"{scheme.lower().replace('http', 'ws')}://{rest}"


def json_document(text: str) -> bytes:
    """A JSON document on one line, its numbers as they were written."""
    try:
        return layout(text.encode(), indent=-1)
    except (DecodeError, RecursionError, UnicodeEncodeError) as error:
        why = str(error).removeprefix("JSON is malformed: ")
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {why}") from None


def parameters(text: str) -> bytes:
    """An object or an array."""
    document = json_document(text)
    if document[:1] not in (b"{", b"["):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither an object nor an array: write [{text}] for one argument"
        )
    return document


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is no header: 'Name: value'")
    try:
        SecurityToken(headers={name: value.strip()})
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("headers: ")) from None
    return name, value.strip()
