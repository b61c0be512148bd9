"""Listening sockets, bound as written: an address's host is what is listened on, ``+`` or ``*`` is all.

WCF's listeners take every interface whatever the address says.
"""

import errno
import os
import socket
import sys
from typing import Any, Final

from wsf.errors import AddressAccessDeniedError, AddressAlreadyInUseError, ListenError
from wsf.transports._handshake import WILDCARD_HOSTS

__all__ = ("BACKLOG", "bind", "unacknowledged")

#: connections the kernel holds until they are accepted; aiohttp's own default, 128, is soon full
BACKLOG: Final = 1024


def bind(host: str, port: int) -> list[socket.socket]:
    """A listening socket for every address the host stands for; one port for all when it is 0.

    Raises:
        AddressAlreadyInUseError, AddressAccessDeniedError, ListenError: With the address.
    """
    sockets: list[socket.socket] = []
    try:
        name = None if host in WILDCARD_HOSTS else host.strip("[]")
        infos = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        absent: OSError | None = None
        for family, kind, protocol, _, address in dict.fromkeys(infos):
            chosen = sockets[0].getsockname()[1] if sockets and port == 0 else port
            try:
                sockets.append(_bound(family, kind, protocol, (address[0], chosen, *address[2:])))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                absent = error  # no IPv6 here, though localhost has an IPv6 address: the other one will do
        if not sockets and absent is not None:
            raise absent
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise _listen_error(error, f"{host}:{port}") from None
    return sockets


def unacknowledged(fileno: int) -> int:
    """Bytes that the kernel holds for a peer that has not taken them; 0 where the system does not tell."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has no such modules
        import termios  # noqa: PLC0415
    except ImportError:
        return 0
    try:
        answer = fcntl.ioctl(fileno, termios.TIOCOUTQ, bytes(4))  # Linux calls it SIOCOUTQ, too
    except (OSError, ValueError):  # closed already, or a system that knows no such question
        return 0
    return int.from_bytes(answer, sys.byteorder)


def _bound(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # on Windows it would let two programs listen on one port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(
            BACKLOG
        )  # here, not later: two hosts that start at once must not both believe they listen
    except BaseException:
        sock.close()
        raise
    return sock


def _listen_error(error: OSError, address: str) -> ListenError:
    if error.errno == errno.EADDRINUSE:
        return AddressAlreadyInUseError(
            f"cannot listen on {address}: the address is in use by another process"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return AddressAccessDeniedError(
            f"cannot listen on {address}: permission denied (ports below 1024 are the administrator's)"
        )
    return ListenError(f"cannot listen on {address}: {error.strerror or error}")
