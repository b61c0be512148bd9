"""What a client shows of itself in the handshake: the counterpart of a host's ``authenticate``."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from attrs import field, frozen

from wsf.errors import ContractError

__all__ = ("SecurityToken", "TokenProvider", "check_asynchronous")

_HEADER: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: headers that are the handshake's own
_RESERVED: Final = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})


def _are_headers(_instance: object, _attribute: object, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"headers: {name!r} is no name of a header")
        if name.lower() in _RESERVED or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"headers: {name} is the handshake's own; subprotocols have a setting")
        if any(not (character.isprintable() and character.isascii()) for character in value):
            raise ValueError(f"headers: the value of {name} is not one line of printable ASCII")


def _are_tokens(_instance: object, _attribute: object, offers: tuple[str, ...]) -> None:
    if not all(_HEADER.fullmatch(offer) for offer in offers):
        raise ValueError("sub_protocols: each is one token: letters, digits and !#$%&'*+-.^_`|~")


@frozen(kw_only=True)
class SecurityToken:
    """What a handshake carries for the service's ``authenticate``. Nothing of it is in ``repr``.

    Attributes:
        headers: Of the upgrade request: ``{"Authorization": "Bearer ..."}``.
        sub_protocols: Offered after the binding's own ``subProtocol``.
        query: Added to the address's query string. Query strings are logged by many a proxy: prefer headers.

    Raises:
        ValueError: A header's name or value, or a subprotocol, cannot be sent, or is the handshake's own.

    WCF: SecurityToken.
    """

    headers: Mapping[str, str] = field(factory=dict[str, str], validator=_are_headers, repr=False, hash=False)
    sub_protocols: tuple[str, ...] = field(default=(), converter=tuple, validator=_are_tokens, repr=False)
    query: Mapping[str, str] = field(factory=dict[str, str], repr=False, hash=False)


#: asked before each handshake, also of a reconnect: a token may have grown old
TokenProvider = Callable[[], Awaitable[SecurityToken]]


def check_asynchronous(provider: Any) -> None:
    """Refuse a provider that would hold up everybody else.

    Raises:
        ContractError: It is neither an ``async def`` function nor an object whose ``__call__`` is one.
    """
    call = getattr(provider, "__call__", None)  # noqa: B004 - it is looked at, not called
    if isinstance(provider, type) or not (
        inspect.iscoroutinefunction(provider) or inspect.iscoroutinefunction(call)
    ):
        raise ContractError(
            f"token_provider: {provider!r} is not asynchronous: give an async def function without "
            f"parameters that returns a SecurityToken"
        )
