"""customBinding: one encoding over one transport, named by their elements."""

from typing import Any

from attrs import field, frozen, validators

from wsf.description import ContractDescription, SessionMode
from wsf.errors import ContractError
from wsf.message import ON_OPEN_ACTION, WILDCARD_ACTION, Message
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
        if self.transport.notifies_on_connection:
            _check_notified(contract)
        self.transport.check(contract)
        self.encoding.check(contract)


def _check_notified(contract: ContractDescription) -> None:
    """Refuse a contract without an operation for a message without body: no client could help it."""
    by_action = {operation.action: operation for operation in contract.operations}
    taken_by = by_action.get(ON_OPEN_ACTION) or by_action.get(WILDCARD_ACTION)
    title = f"{contract.contract_type.__qualname__}: createNotificationOnConnection is true, and"
    if taken_by is None:
        raise ContractError(
            f"{title} no operation takes the notification: give one action='*' or the session-open action"
        )
    if any(parameter.type is not Message for parameter in taken_by.parameters):
        raise ContractError(
            f"{title} the notification has no body for {taken_by.method}'s {taken_by.parameters[0].name!r}: "
            f"let it take a wsf.Message, or give another operation, without parameters, the session-open "
            f"action"
        )
