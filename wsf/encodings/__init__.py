"""The family of encodings: what turns a payload into a message and back. An encoding knows no sockets.

One file, one class: ``byteStreamMessageEncoding`` is ``byte_stream.py: ByteStreamMessageEncoding``.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from wsf.description import ContractDescription
from wsf.message import Message, MessageType

__all__ = ("MessageEncoding",)


class MessageEncoding(Protocol):
    """What an encoding is: its settings (attrs fields) and these three. Frozen and hashable.

    WCF: MessageEncodingBindingElement and MessageEncoder in one.
    """

    #: whether a call's reply and faults have a place on this wire
    carries_replies: ClassVar[bool]

    def check(self, contract: ContractDescription) -> None:
        """Refuse, when the host opens, a contract that cannot travel in this encoding.

        Raises:
            ContractError: Names class, method, parameter and remedy.
        """
        ...

    def decode(self, payload: bytes, message_type: MessageType, properties: Mapping[str, object]) -> Message:
        """The message in one payload.

        Raises:
            EncodingError: The payload is not what ``message_type`` says; the session ends with 1007.
        """
        ...

    def encode(self, message: Message) -> bytes:
        """The payload of one message.

        Raises:
            ValueError: The message cannot be sent as what it says it is: the service's own mistake.
        """
        ...
