"""customBinding: one encoding over one transport, named by their elements."""

from typing import Any

from attrs import field, frozen, validators

from wsf.description import ContractDescription, SessionMode
from wsf.errors import ContractError
from wsf.message import ON_OPEN_ACTION, WILDCARD_ACTION
from wsf.settings import Seconds

__all__ = ("CustomBinding",)


@frozen(kw_only=True)
class CustomBinding:
    """WCF: CustomBinding, with WCF's timeouts.

    Attributes:
        encoding, transport: Objects of the families' classes.
        open_timeout: s until a handshake that waits for a free session is refused.
        close_timeout: s for the closing handshake; then the connection is aborted.
        send_timeout: s without progress until a client that takes nothing is aborted.
        receive_timeout: s without a message either way until a session is closed as idle.
    """

    name: str = ""
    open_timeout: Seconds = field(default=60, validator=validators.gt(0))
    close_timeout: Seconds = field(default=60, validator=validators.gt(0))
    send_timeout: Seconds = field(default=60, validator=validators.gt(0))
    receive_timeout: Seconds = field(default=600, validator=validators.gt(0))
    encoding: Any
    transport: Any

    def check(self, contract: ContractDescription) -> None:
        """See ``Binding``."""
        if contract.session_mode is SessionMode.NOT_ALLOWED:
            raise ContractError(
                f"{contract.contract_type.__qualname__} forbids sessions (SessionMode.NOT_ALLOWED), but each "
                f"WebSocket is one: use SessionMode.ALLOWED or REQUIRED"
            )
        actions = {operation.action for operation in contract.operations}
        if self.transport.notifies_on_connection and not actions & {ON_OPEN_ACTION, WILDCARD_ACTION}:
            raise ContractError(
                f"{contract.contract_type.__qualname__}: createNotificationOnConnection is true, and no "
                f"operation takes the notification: give one action='*' or the session-open action"
            )
        self.transport.check(contract)
        self.encoding.check(contract)
