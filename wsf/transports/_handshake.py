"""Who may come in: the checks before an upgrade is answered with 101, and the answers instead of it.

Nothing of the peer's goes into an answer; what goes into a log line is escaped. The rules are WCF's for
versions and subprotocols, and our own for Host and Origin, which WCF never looked at.
"""

import base64
import ipaddress
import re
from collections.abc import Collection, Mapping
from typing import Final, Protocol
from urllib.parse import urlsplit

from attrs import field, frozen

__all__ = (
    "Headers",
    "Refusal",
    "check_host",
    "check_upgrade",
    "is_host_name",
    "is_origin",
    "is_token",
    "negotiate_sub_protocol",
    "quoted",
)

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
WILDCARD_HOSTS: Final = frozenset({"+", "*", ""})
WEBSOCKET_VERSION: Final = "13"

#: characters of a peer's text that a log line shows
MAX_QUOTED_LENGTH: Final = 120

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Headers(Protocol):
    """Request headers as the checks need them: every value of a name, in any case."""

    def getall(self, key: str, default: list[str]) -> list[str]:
        """All values of a header."""
        ...


@frozen
class Refusal:
    """An answer instead of 101. ``text`` goes to the peer, ``remedy`` into the log only."""

    status: int
    text: str
    remedy: str = ""
    headers: Mapping[str, str] = field(factory=dict)


def check_host(headers: Headers, endpoint_host: str, allowed_hosts: Collection[str]) -> Refusal | None:
    """Refuse a request whose Host does not name the endpoint (a rebound DNS name, a stray proxy).

    ``localhost``, ``127.0.0.1`` and ``[::1]`` are one. An endpoint on every interface is named by any IP
    address (nobody can rebind one) and by localhost; other names must stand in ``allowedHosts``.
    """
    hosts = headers.getall("Host", [])
    name = _split_host(hosts[0])[0] if len(hosts) == 1 else None
    if name is not None and (_names(name, endpoint_host) or name in {host.lower() for host in allowed_hosts}):
        return None
    shown = quoted(", ".join(hosts))
    return Refusal(
        421,
        "this host is not served here",
        f"Host {shown} is not the endpoint's; add it to the transport's allowedHosts",
    )


def check_upgrade(
    method: str, headers: Headers, allowed_origins: Collection[str], scheme: str = "http"
) -> Refusal | None:
    """The opening handshake's own rules (RFC 6455 section 4.2.1), then the Origin's.

    Args:
        scheme: Of the site. Where it is ``https``, TLS ends here, and a page that came without is no page
            of this site: anybody on its way may have written it.
    """
    upgrade, connection = _tokens(headers, "Upgrade"), _tokens(headers, "Connection")
    if method != "GET" or upgrade != ["websocket"] or "upgrade" not in connection:
        return Refusal(400, "this is a WebSocket endpoint: it answers WebSocket handshakes only")
    if headers.getall("Sec-WebSocket-Version", []) != [WEBSOCKET_VERSION]:
        return Refusal(
            426, "WebSocket version 13 is required", headers={"Sec-WebSocket-Version": WEBSOCKET_VERSION}
        )
    if not _is_key(headers.getall("Sec-WebSocket-Key", [])):
        return Refusal(400, "Sec-WebSocket-Key must be 16 bytes in base64")
    return _check_origin(headers, allowed_origins, scheme)


def negotiate_sub_protocol(headers: Headers, required: str | None) -> str | Refusal | None:
    """The one subprotocol of an endpoint, as the client spelt it; None where neither side has any.

    WCF's rules: no match is 426, also when the client offers and the endpoint has none; a bad token is 400.
    """
    offers = [
        offer.strip() for line in headers.getall("Sec-WebSocket-Protocol", []) for offer in line.split(",")
    ]
    if any(not is_token(offer) for offer in offers):
        return Refusal(400, "Sec-WebSocket-Protocol holds an invalid token")
    if required is None and not offers:
        return None
    for offer in offers:
        if required is not None and offer.lower() == required.lower():
            return offer
    if required is None:
        return Refusal(426, "this endpoint speaks no subprotocol", "set subProtocol to accept one")
    return Refusal(
        426,
        "the endpoint's subprotocol is required",
        f"the client offers {f'{len(offers)} others' if offers else 'none'}",  # which: one may be a token
        {"Sec-WebSocket-Protocol": required},
    )


def is_origin(text: str) -> bool:
    """Whether a setting is an origin as browsers write them, or ``null``, or ``*``."""
    return text == "*" or _origin(text) is not None


def is_host_name(text: str) -> bool:
    """Whether a setting is the name of a host, without scheme and port."""
    return _split_host(text) == (text.lower().strip("[]").removesuffix("."), None) and text != ""


def is_token(text: str) -> bool:
    """Whether a subprotocol's name is one (RFC 6455 section 4.1: RFC 2616's token)."""
    return _TOKEN.fullmatch(text) is not None


def _split_host(authority: str) -> tuple[str, int | None]:
    """The lower-case name and the port of ``host:port``; ``("", None)`` for what is neither."""
    try:
        parts = urlsplit(f"//{authority}")
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            return "", None
        return (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return "", None


def quoted(text: str) -> str:
    """A peer's text as a log line may hold it: one line, ASCII, bounded."""
    return ascii(text if len(text) <= MAX_QUOTED_LENGTH else text[:MAX_QUOTED_LENGTH] + "...")


def _tokens(headers: Headers, name: str) -> list[str]:
    return [token.strip().lower() for line in headers.getall(name, []) for token in line.split(",")]


def _check_origin(headers: Headers, allowed: Collection[str], scheme: str) -> Refusal | None:
    origins = headers.getall("Origin", [])
    if not origins or "*" in allowed:
        return None  # programs send none; browsers always do
    if len(origins) == 1:
        origin = _origin(origins[0])
        if origin is not None and (origin in {_origin(entry) for entry in allowed}):
            return None
        is_clear = origin is not None and origin[0] != "https" and scheme == "https"
        if origin is not None and origin[0] != "null" and not is_clear and _is_same_host(origin, headers):
            return None
    shown = quoted(", ".join(origins))
    return Refusal(
        403,
        "this origin is not allowed",
        f"origin {shown} is not allowed: add it to webSocketSettings allowedOrigins",
    )


def _is_same_host(origin: tuple[str, str, int | None], headers: Headers) -> bool:
    """Host and port of Origin and Host agree; the scheme is not compared, since TLS may end at a proxy."""
    scheme, name, port = origin
    host_name, host_port = _split_host(headers.getall("Host", [""])[0])
    return name != "" and (name, port) == (host_name, host_port or _DEFAULT_PORTS.get(scheme))


def _origin(text: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of a serialized origin (RFC 6454 section 6.2); None for what is none."""
    if text == "null":
        return ("null", "", None)
    scheme, separator, authority = text.partition("://")
    name, port = _split_host(authority)
    if not separator or not name:
        return None
    return (scheme.lower(), name, port or _DEFAULT_PORTS.get(scheme.lower()))


def _names(name: str, endpoint_host: str) -> bool:
    endpoint = endpoint_host.lower().strip("[]")
    if name == endpoint or (name in LOOPBACK_NAMES and endpoint in LOOPBACK_NAMES):
        return True
    return endpoint in WILDCARD_HOSTS and (name == "localhost" or _is_ip_address(name))


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_key(values: list[str]) -> bool:
    try:
        return len(values) == 1 and len(base64.b64decode(values[0], validate=True)) == 16
    except ValueError:  # binascii.Error is one; text that is not ASCII is another
        return False
