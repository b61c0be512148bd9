"""wsf: WCF's service model for Python, over WebSockets.

This is the service author's door: everything a contract and its implementation need. A host is in
``wsf.host``, settings for bindings in code are in ``wsf.bindings``, ``wsf.encodings`` and ``wsf.transports``;
what a service is given from outside, inspectors, wrappers, error handlers, behaviors, in ``wsf.extensions``.
"""

from wsf.behaviors import ConcurrencyMode, InstanceContextMode, service_behavior
from wsf.callback import channel_of
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CommunicationState
from wsf.contracts import callback_contract, fault_contract, operation_contract, service_contract
from wsf.data_contracts import ExtensionData, data_contract, data_member
from wsf.delivery import Delivery
from wsf.description import SessionMode
from wsf.errors import (
    CloseCode,
    CommunicationError,
    ContractError,
    FaultCode,
    FaultException,
    InvalidOperationError,
    ReplyTimeoutError,
    SerializationError,
    WsfError,
)
from wsf.groups import CallbackGroup, GroupDelivery, group_operation
from wsf.message import Message, MessageType
from wsf.operation_context import OperationContext

__all__ = (
    "CallbackGroup",
    "CloseCode",
    "CommunicationError",
    "CommunicationState",
    "ConcurrencyMode",
    "ContractError",
    "Delivery",
    "DuplexSessionChannel",
    "ExtensionData",
    "FaultCode",
    "FaultException",
    "GroupDelivery",
    "InstanceContextMode",
    "InvalidOperationError",
    "Message",
    "MessageType",
    "OperationContext",
    "ReplyTimeoutError",
    "SerializationError",
    "SessionMode",
    "WsfError",
    "callback_contract",
    "channel_of",
    "data_contract",
    "data_member",
    "fault_contract",
    "group_operation",
    "operation_contract",
    "service_behavior",
    "service_contract",
)
