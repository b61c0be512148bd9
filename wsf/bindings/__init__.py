"""The family of bindings: an encoding over a transport, plus timeouts.

One file, one class: ``customBinding`` is ``custom.py: CustomBinding``.
"""

from typing import Protocol

from wsf.description import ContractDescription
from wsf.encodings import MessageEncoding
from wsf.settings import Seconds
from wsf.transports import Transport

__all__ = ("Binding",)


class Binding(Protocol):
    """How an endpoint is carried; frozen. Endpoints that name the same binding share one object.

    WCF: Binding.
    """

    @property
    def name(self) -> str:
        """What a configuration calls it, or nothing."""
        ...

    @property
    def open_timeout(self) -> Seconds:
        """s until a handshake that waits is refused."""
        ...

    @property
    def close_timeout(self) -> Seconds:
        """s for the closing handshake."""
        ...

    @property
    def send_timeout(self) -> Seconds:
        """s for a send to make progress, and for a reply."""
        ...

    @property
    def receive_timeout(self) -> Seconds:
        """s until a session without messages is closed."""
        ...

    @property
    def encoding(self) -> MessageEncoding:
        """How messages become payloads."""
        ...

    @property
    def transport(self) -> Transport:
        """How payloads travel."""
        ...

    def check(self, contract: ContractDescription) -> None:
        """Refuse, when the host opens, a contract that this binding cannot carry.

        Raises:
            ContractError: Names what does not fit and what to change.
        """
        ...
