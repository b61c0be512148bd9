"""OperationContext: what an operation may know of the call it serves.

It is current in the operation's task and in every task that is started from it, across awaits.
WCF: OperationContext, whose Current is lost at the first await unless asked otherwise.
"""

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from wsf.callback import create_callback
from wsf.channel import DuplexSessionChannel
from wsf.description import ContractDescription
from wsf.errors import InvalidOperationError
from wsf.message import Message

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = ("OperationContext",)

T = TypeVar("T")


class OperationContext:
    """One call. Made by the dispatcher.

    Attributes:
        channel: The session that the call came in on.
        incoming_message: The message itself. WCF: its IncomingMessageHeaders and -Properties.
    """

    __slots__ = ("_contract", "channel", "incoming_message")

    _current: ClassVar[ContextVar["OperationContext"]] = ContextVar("wsf.OperationContext.current")

    def __init__(
        self, channel: DuplexSessionChannel, message: Message, contract: ContractDescription
    ) -> None:
        self.channel = channel
        self.incoming_message = message
        self._contract = contract

    @classmethod
    def current(cls) -> "OperationContext":
        """The call that this task serves.

        Raises:
            InvalidOperationError: It serves none.

        WCF: ``OperationContext.Current``, which is null then.
        """
        try:
            return cls._current.get()
        except LookupError:
            raise InvalidOperationError(
                "there is no operation here: OperationContext.current() is for operations and their tasks"
            ) from None

    @property
    def session_id(self) -> str:
        """The session's id. WCF: ``SessionId``."""
        return self.channel.session_id

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

    def enter(self) -> Token["OperationContext"]:
        """Make this call the current one. For the dispatcher."""
        return self._current.set(self)

    @classmethod
    def leave(cls, token: Token["OperationContext"]) -> None:
        """Undo ``enter``. For the dispatcher."""
        cls._current.reset(token)
