"""Typed callback proxies: a callback contract's methods, each an append to one client's outbox.

The methods are made once for each contract, real ones, not ``__getattr__``: a room of a thousand calls them
a thousand times for each message.
"""

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from wsf.channel import DuplexSessionChannel
from wsf.description import ContractDescription, OperationDescription
from wsf.errors import ContractError, InvalidOperationError

__all__ = ("channel_of", "create_callback")


def create_callback(contract: ContractDescription, channel: DuplexSessionChannel) -> Any:
    """The client of a channel, as its callback contract: the same object for the whole session."""
    if channel.callback is None:
        channel.callback = _proxy_class(contract)(channel)
    return channel.callback


def channel_of(callback: object) -> DuplexSessionChannel:
    """The channel behind a callback: its state, events, close and abort.

    Raises:
        InvalidOperationError: ``callback`` did not come from ``get_callback_channel``.

    WCF: the cast of a callback to IContextChannel or ICommunicationObject.
    """
    channel = getattr(callback, "_channel", None)
    if not isinstance(channel, DuplexSessionChannel):
        raise InvalidOperationError(f"{type(callback).__qualname__} is not a callback of a client")
    return channel


@functools.cache
def _proxy_class(contract: ContractDescription) -> type[Any]:
    def init(self: Any, channel: DuplexSessionChannel) -> None:
        self._channel = channel

    def show(self: Any) -> str:
        return f"<{contract.name} of {self._channel.session_id} {self._channel.state.value}>"

    members: dict[str, Any] = {"__init__": init, "__repr__": show, "__doc__": contract.contract_type.__doc__}
    for operation in contract.operations:
        members[operation.method] = _one_way(contract, operation)
    return type(contract.contract_type.__name__, (contract.contract_type,), members)


def _one_way(
    contract: ContractDescription, operation: OperationDescription
) -> Callable[..., Coroutine[Any, Any, None]]:
    if not operation.is_one_way or len(operation.parameters) != 1:
        raise ContractError(f"{contract.contract_type.__qualname__}.{operation.method} is not one-way")
    parameter = operation.parameters[0].name

    async def call(self: Any, *arguments: Any, **named: Any) -> None:
        if named:
            arguments += (named.pop(parameter, None),)
        if named or len(arguments) != 1:
            raise TypeError(f"{operation.method}() takes one argument: {parameter}")
        self._channel.send(arguments[0])

    call.__name__ = operation.method
    call.__qualname__ = f"{contract.contract_type.__qualname__}.{operation.method}"
    return call
