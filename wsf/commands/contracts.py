"""Contracts of a client that has no contract: any call there, any call here.

WCF: the universal contract, ``[OperationContract(Action = "*", ReplyAction = "*")]``.
"""

from typing import Protocol

from attrs import frozen

from wsf.contracts import callback_contract, operation_contract, service_contract
from wsf.description import ContractDescription
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.message import Message

__all__ = ("AnyByteStream", "AnyCallback", "AnyMethodEncoding", "AnyReader", "AnyService")


@callback_contract
class AnyCallback(Protocol):
    """Whatever a service calls."""

    @operation_contract(action="*", reply_action="*")
    async def receive(self, message: Message) -> Message:
        """Take any call, and answer it."""
        ...


@service_contract(callback_contract=AnyCallback)
class AnyService(Protocol):
    """Whatever a service can be called."""

    @operation_contract(action="*", reply_action="*")
    async def request(self, message: Message) -> Message:
        """Call anything: the message says what."""
        ...


@callback_contract
class AnyReader(Protocol):
    """Whatever a byte stream sends."""

    @operation_contract(is_one_way=True, action="*")
    async def receive(self, message: Message) -> None:
        """Take any message."""
        ...


@service_contract(callback_contract=AnyReader)
class AnyByteStream(Protocol):
    """Whatever a byte stream can be sent."""

    @operation_contract(is_one_way=True, action="*")
    async def send(self, message: Message) -> None:
        """Send any message."""
        ...


@frozen
class AnyMethodEncoding(JsonRpcMessageEncoding):
    """JSON-RPC for contracts without names: each message has its own."""

    def check(self, contract: ContractDescription) -> None:
        """Nothing: see the class."""
