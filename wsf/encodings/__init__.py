"""The family of encodings: what turns a payload into a message and back. An encoding knows no sockets.

One file, one class: ``byteStreamMessageEncoding`` is ``byte_stream.py: ByteStreamMessageEncoding``.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from wsf.data_contracts import JsonQuotas
from wsf.description import BodyStyle, ContractDescription, OperationDescription
from wsf.message import Message, MessageType

__all__ = ("MessageEncoding",)


class MessageEncoding(Protocol):
    """What an encoding is: its settings (attrs fields) and these. Frozen and hashable.

    WCF: MessageEncodingBindingElement and MessageEncoder in one.
    """

    #: whether a call's reply and faults have a place on this wire
    carries_replies: ClassVar[bool]

    #: whether a message with CANCEL_ACTION has a place on this wire
    carries_cancellation: ClassVar[bool]

    #: the kind of frame that all its messages leave in; None: each message's own
    frame_type: ClassVar[MessageType | None]

    #: what a body holds
    body_style: ClassVar[BodyStyle]

    @property
    def json_quotas(self) -> JsonQuotas:
        """The bounds of each JSON text in a body. WCF: XmlDictionaryReaderQuotas."""
        ...

    def actions_of(self, contract: ContractDescription, operation: OperationDescription) -> tuple[str, ...]:
        """By which actions a message of this wire means an operation; the first is what we send."""
        ...

    def check(self, contract: ContractDescription) -> None:
        """Refuse, when the host opens, a contract that cannot travel in this encoding.

        Raises:
            ContractError: Names class, method, parameter and remedy.
        """
        ...

    def may_ignore(self, message: Message) -> bool:
        """Whether a message that no operation takes and nobody waits for may be passed over."""
        ...

    def decode(
        self, payload: bytes, message_type: MessageType, properties: Mapping[str, object]
    ) -> Message | tuple[Message, ...]:
        """The message in one payload, or those in it, in order.

        One that wants an answer and is no request has a ``message_id`` and a ``fault``: the answer.

        Raises:
            EncodingError: The payload is not what ``message_type`` says; the session ends with 1007.
            UnsupportedDataError: This kind of frame is not taken; 1003.
        """
        ...

    def encode(self, message: Message) -> bytes | None:
        """The payload of one message; None: it goes with another one, later.

        A ``message_id`` comes back as ``relates_to``, as the object that ``decode`` made: it may know more
        than its bytes say.

        Raises:
            ValueError: The message cannot be sent as what it says it is: the service's own mistake.
        """
        ...
