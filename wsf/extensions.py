"""The five extension points: what a service can be given from outside, without touching its code.

An *instance provider* makes its objects, *message inspectors* see what comes and goes, *operation wrappers*
run around each operation, *error handlers* turn errors into faults, and a *behavior* installs them. Order is
list order, reversed on the way out. What one of them raises is as if the operation, or the send, had.
WCF: IInstanceProvider, IDispatchMessageInspector, IOperationInvoker with IParameterInspector, IErrorHandler,
IServiceBehavior.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from attrs import define, field

from wsf.channel import DuplexSessionChannel
from wsf.communication_object import CloseStatus
from wsf.description import ServiceDescription
from wsf.errors import FaultException
from wsf.instancing import InstanceContext, InstanceProvider
from wsf.message import Message
from wsf.operation_context import OperationContext

__all__ = (
    "Behavior",
    "CloseStatus",
    "DispatchRuntime",
    "ErrorHandler",
    "InstanceContext",
    "InstanceProvider",
    "MessageInspector",
    "OperationWrapper",
    "Proceed",
    "ServiceDescription",
)

#: runs what is left of a call: the next wrapper, at last the operation itself
Proceed = Callable[[tuple[Any, ...]], Awaitable[Any]]


class MessageInspector:
    """Sees every message of a service. Derive from it and override what you need; nothing here may wait.

    ``connect`` and ``received`` run in list order, ``sending`` and ``closed`` in the reverse of it.
    WCF: IDispatchMessageInspector, IClientMessageInspector of the callbacks, IChannelInitializer.
    """

    def connect(self, channel: DuplexSessionChannel) -> None:
        """A session begins; its channel is open.

        What this raises refuses the session: a FaultException closes it with 1008 and its reason, a
        ProtocolError with its own code, anything else with 1011. WCF: ``IChannelInitializer.Initialize``.
        """

    def received(self, message: Message, context: OperationContext) -> Message:
        """A message on its way to its operation, before the lock: the same one, or another.

        Which operation it is has been decided. What this raises is as if the operation had raised it.
        Answers to callbacks do not come here. WCF: ``AfterReceiveRequest``.
        """
        return message

    def sending(self, message: Message, channel: DuplexSessionChannel) -> Message:
        """A message on its way to the client, an answer or a callback: the same one, or another.

        One that is given back as it came is encoded once for all clients that get it. What this raises,
        whoever sends gets: a service from its callback, the dispatcher as if the operation had raised it.
        WCF: ``BeforeSendReply``, ``BeforeSendRequest``.
        """
        return message

    def closed(self, channel: DuplexSessionChannel, status: CloseStatus) -> None:
        """A session has ended that this inspector let begin. What it raises is logged."""


class OperationWrapper(Protocol):
    """Runs around each operation, inside the lock, with its arguments and its result.

    WCF: IOperationInvoker, IParameterInspector.
    """

    async def invoke(self, context: OperationContext, arguments: tuple[Any, ...], proceed: Proceed) -> Any:
        """``return await proceed(arguments)``, and whatever is to be done before, after or instead.

        The first wrapper is the outermost. What it returns is the operation's result, what it raises the
        operation's error; who proceeds twice, calls twice.
        """
        ...


class ErrorHandler:
    """Sees every error of a service. Derive from it and override what you need; nothing here may wait.

    Handlers are asked, and told, in list order. What they raise is logged, and changes nothing.
    WCF: IErrorHandler.
    """

    def provide_fault(
        self, error: Exception, fault: FaultException[Any] | None
    ) -> FaultException[Any] | None:
        """What the caller is told, and the session goes on. None: nothing to add.

        ``fault`` is what the handlers before this one provide; at first, the error, if it is a fault. If
        nobody provides one, the error takes its course. WCF: ``ProvideFault``.
        """
        return None

    def handle_error(self, error: Exception) -> bool:
        """Called once for each error, when the caller has been answered and the operation has ended.

        True: the session need not end for a message that no operation takes. WCF: ``HandleError``.
        """
        return False


@define
class DispatchRuntime:
    """Where a behavior installs what it brings, while the host is built. WCF: DispatchRuntime.

    Attributes:
        instance_provider: Makes the service objects; None: the class itself. The last behavior that sets it
            wins, and may wrap what it found.
    """

    instance_provider: InstanceProvider | None = None
    message_inspectors: list[MessageInspector] = field(factory=list)
    operation_wrappers: list[OperationWrapper] = field(factory=list)
    error_handlers: list[ErrorHandler] = field(factory=list)


class Behavior(Protocol):
    """Installs extensions in a service. WCF: IServiceBehavior."""

    def validate(self, description: ServiceDescription) -> None:
        """Refuse a service that this behavior does not fit.

        Raises:
            ContractError: With what to change.
        """
        ...

    def apply(self, runtime: DispatchRuntime) -> None:
        """Install. Called once for each host, after every behavior has validated."""
        ...
