"""OperationContext: what an operation may know of the call it serves.

It is current in the operation's task and in every task that is started from it, across awaits.
WCF: OperationContext, whose Current is lost at the first await unless asked otherwise.
"""

from collections.abc import Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec import Struct

from wsf.callback import create_callback
from wsf.channel import DuplexSessionChannel
from wsf.communication_object import Event
from wsf.concurrency import CURRENT_CALL, Turn
from wsf.description import ContractDescription, OperationDescription
from wsf.errors import InvalidOperationError
from wsf.extension_collection import ExtensionCollection
from wsf.instancing import InstanceContext
from wsf.message import Message, RemoteEndpointMessageProperty, WebSocketMessageProperty
from wsf.streaming import Stream

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = ("OperationContext",)

T = TypeVar("T")

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class OperationContext(Struct, eq=False):  # one for each message: see Message
    """One call. Made by the dispatcher.

    Attributes:
        host: The ServiceHost. WCF: ``Host``.
        channel: The session that the call came in on. WCF: ``Channel``.
        incoming_message: The message itself. WCF: its IncomingMessageHeaders and -Properties.
        operation: What the call is of.
        instance_context: The service object's place: its extensions, its object. WCF: ``InstanceContext``.
        stream: What the call has opened, if it streams.
    """

    channel: DuplexSessionChannel
    incoming_message: Message
    operation: OperationDescription
    turn: Turn
    instance_context: InstanceContext
    host: Any
    _contract: ContractDescription
    stream: Stream | None = None
    _completed: Event | None = None
    _extensions: ExtensionCollection | None = None

    def __repr__(self) -> str:
        """Nothing of what the client has said."""
        return f"<OperationContext of {self.operation.name} for {self.channel.session_id}>"

    @classmethod
    def current(cls) -> "OperationContext":
        """The call that this task serves.

        Raises:
            InvalidOperationError: It serves none.

        WCF: ``OperationContext.Current``, which is null then.
        """
        call = CURRENT_CALL.get(None)
        if isinstance(call, cls):
            return call
        raise InvalidOperationError(
            "there is no operation here: OperationContext.current() is for operations and their tasks"
        )

    @property
    def session_id(self) -> str:
        """The session's id. WCF: ``SessionId``."""
        return self.channel.session_id

    @property
    def incoming_message_properties(self) -> Mapping[str, object]:
        """What the transport noted about the message. WCF: ``IncomingMessageProperties``."""
        return self.incoming_message.properties

    @property
    def outgoing_message_properties(self) -> MutableMapping[str, object]:
        """Properties for the reply, and for every callback to this same client. WCF: the same name."""
        if self.turn.outgoing is None:
            self.turn.outgoing = {}
        return self.turn.outgoing

    @property
    def remote_endpoint(self) -> RemoteEndpointMessageProperty | None:
        """Who called. WCF: RemoteEndpointMessageProperty."""
        found = self.incoming_message.properties.get(RemoteEndpointMessageProperty.name)
        return found if isinstance(found, RemoteEndpointMessageProperty) else None

    @property
    def request_headers(self) -> Mapping[str, str]:
        """The upgrade request's headers, names in lower case. WCF: WebSocketContext.Headers."""
        request = self._request
        return _NOTHING if request is None else request.headers

    @property
    def request_cookies(self) -> Mapping[str, str]:
        """The cookies of the session's upgrade request. WCF: WebSocketContext.CookieCollection."""
        noted: Mapping[str, str] | None = getattr(self._request, "cookies", None)
        if noted is not None:  # a transport that has read them for its own ends
            return noted
        try:
            jar = SimpleCookie(self.request_headers.get("cookie", ""))
        except CookieError:
            return _NOTHING
        return MappingProxyType({name: morsel.value for name, morsel in jar.items()})

    @property
    def principal(self) -> Any:
        """Who the host's ``authenticate`` said the client is; None without one. WCF: ``ClaimsPrincipal``."""
        return getattr(self._request, "principal", None)

    @property
    def extensions(self) -> ExtensionCollection:
        """What others keep with this call. WCF: ``Extensions``."""
        if self._extensions is None:
            self._extensions = ExtensionCollection(self)
        return self._extensions

    @property
    def operation_completed(self) -> Event:
        """Happens after the reply is out and the operation has ended. WCF: ``OperationCompleted``."""
        if self._completed is None:
            self._completed = Event()
        return self._completed

    @operation_completed.setter
    def operation_completed(self, event: Event) -> None:
        """What ``+=`` and ``-=`` give back."""
        self._completed = event

    def get_callback_channel(self, contract: "TypeForm[T]") -> T:
        """The client of this session: the same object every time, so it can be stored and compared.

        Raises:
            InvalidOperationError: The endpoint's contract has another callback contract, or none.

        WCF: ``GetCallbackChannel<T>``.
        """
        promised = self._contract.callback
        wanted: Any = contract
        if promised is None or wanted not in promised.contract_type.__mro__:
            asked, mine = getattr(wanted, "__qualname__", wanted), self._contract.contract_type.__qualname__
            raise InvalidOperationError(
                f"{mine} has the callback contract {promised.contract_type.__qualname__}, not {asked}"
                if promised
                else f"{mine} names no callback contract: write @service_contract(callback_contract={asked})"
            )
        callback: T = create_callback(promised, self.channel)
        return callback

    def complete(self) -> None:
        """The operation has ended. For the dispatcher."""
        if self._completed is not None:
            self._completed.fire(self)

    @property
    def _request(self) -> WebSocketMessageProperty | None:
        found = self.incoming_message.properties.get(WebSocketMessageProperty.name)
        return found if isinstance(found, WebSocketMessageProperty) else None
