"""Addresses as configuration files write them: absolute, or relative to a base address. A leaf."""

import re
from typing import Final

from attrs import frozen

from wsf.configuration.words import quoted

__all__ = ("HTTP_SCHEMES", "Address", "absolute", "connectable", "is_relative", "joined")

#: what browsers write for what WCF and wsf listen on
HTTP_SCHEMES: Final = {"ws": "http", "wss": "https"}

MAX_PORT: Final = 65535

_ADDRESS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^\s?#]*)?"
)
_RELATIVE: Final = re.compile(r"[^\s?#:]*")


@frozen
class Address:
    """An absolute address in its parts; ``port`` is None where the address leaves it to the scheme."""

    scheme: str
    host: str
    port: int | None
    path: str


def absolute(text: str) -> Address:
    """An absolute address.

    Raises:
        ValueError: It is none; the text is the end of the sentence ``address: ...``.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ValueError(f"{quoted(text)} is not an address: write http://host:port/path")
    scheme = found["scheme"].lower()
    if scheme in HTTP_SCHEMES:
        http = HTTP_SCHEMES[scheme] + text[len(scheme) :]
        raise ValueError(f"write {quoted(http)}: what listens is HTTP, and clients connect to {scheme}://")
    port = None if found["port"] is None else int(found["port"])
    if port is not None and port > MAX_PORT:
        raise ValueError(f"{quoted(text)} has a port over {MAX_PORT}")
    return Address(scheme, found["host"], port, found["path"] or "")


def connectable(text: str) -> str:
    """What a client connects to: ``ws://`` or ``wss://``, which may be written as what it listens on.

    Raises:
        ValueError: It is none; the text is the end of the sentence ``address: ...``.
    """
    address, mark, query = text.partition("?")
    scheme, separator, rest = address.partition("://")
    http = HTTP_SCHEMES.get(scheme.lower(), scheme.lower())
    try:
        parts = absolute(f"{http}{separator}{rest}")
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an address: write ws://host:port/path") from None
    web_socket = {listens: connects for connects, listens in HTTP_SCHEMES.items()}.get(parts.scheme)
    if web_socket is None or re.search(r"[\s#]", query):
        raise ValueError(f"{quoted(text)} is not an address: write ws://host:port/path")
    if parts.host in ("+", "*"):
        raise ValueError(f"{quoted(text)} is every interface of a host: name the one to connect to")
    if parts.port == 0:
        raise ValueError(f"{quoted(text)} has the port 0: that is any free one, for who listens")
    return f"{web_socket}://{rest}{mark}{query}"


def is_relative(text: str) -> bool:
    """Whether an address needs a base address; the empty one is the base itself."""
    return _RELATIVE.fullmatch(text) is not None


def joined(base: str, relative: str) -> str:
    """A relative address under its base, with one slash between them."""
    return f"{base.rstrip('/')}/{relative.lstrip('/')}" if relative else base
