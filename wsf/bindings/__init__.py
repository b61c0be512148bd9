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
    """How an endpoint is carried. Endpoints that name the same binding share one object. WCF: Binding."""

    name: str
    open_timeout: Seconds
    close_timeout: Seconds
    send_timeout: Seconds
    receive_timeout: Seconds
    encoding: MessageEncoding
    transport: Transport

    def check(self, contract: ContractDescription) -> None:
        """Refuse, when the host opens, a contract that this binding cannot carry.

        Raises:
            ContractError: Names what does not fit and what to change.
        """
        ...
