"""How a service behaves apart from its contract: instancing, concurrency, throttles, delivery bounds.

``@service_behavior`` is the author's word, the settings classes are the operator's
(``behaviors/serviceBehaviors``). WCF: ServiceBehaviorAttribute and the service behavior elements.
"""

import os
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, TypeVar, overload

from attrs import field, frozen, validators

from wsf.delivery import Delivery, DeliveryMode, Outlet
from wsf.description import OperationDescription
from wsf.errors import ContractError
from wsf.settings import ByteCount, Seconds, no_effect

__all__ = (
    "CallbackSettings",
    "ConcurrencyMode",
    "InstanceContextMode",
    "OutboxOperation",
    "OutboxSettings",
    "ServiceBehavior",
    "ServiceDebug",
    "ServiceMetadata",
    "ServiceThrottling",
    "StreamSettings",
    "behavior_of",
    "service_behavior",
)

C = TypeVar("C", bound=type[Any])

#: s; more than this nobody calls server push any more
MAX_LINGER: Final = 1.0

_BEHAVIOR: Final = "__wsf_behavior__"
_NO_HELP_PAGE: Final = "there is no help page"
_NO_WSDL: Final = "there is no WSDL to get"


class InstanceContextMode(Enum):
    """How long a service object lives. WCF: InstanceContextMode."""

    PER_SESSION = "PerSession"
    PER_CALL = "PerCall"
    SINGLE = "Single"


class ConcurrencyMode(Enum):
    """How many operations may run in one service object at a time. WCF: ConcurrencyMode.

    SINGLE: one, held until its coroutine ends, and a session's next message waits for it.
    REENTRANT: one, but a session's messages are read on and queue. MULTIPLE: any number.
    """

    SINGLE = "Single"
    REENTRANT = "Reentrant"
    MULTIPLE = "Multiple"


@frozen
class ServiceBehavior:
    """What ``@service_behavior`` said, or WCF's defaults."""

    instance_context_mode: InstanceContextMode = InstanceContextMode.PER_SESSION
    concurrency_mode: ConcurrencyMode = ConcurrencyMode.SINGLE
    configuration_name: str | None = None
    include_exception_detail_in_faults: bool = False
    strict_callbacks: bool = False
    behaviors: tuple[Any, ...] = ()


@overload
def service_behavior(service: C) -> C: ...
@overload
def service_behavior(
    *,
    instance_context_mode: InstanceContextMode = InstanceContextMode.PER_SESSION,
    concurrency_mode: ConcurrencyMode = ConcurrencyMode.SINGLE,
    configuration_name: str | None = None,
    include_exception_detail_in_faults: bool = False,
    strict_callbacks: bool = False,
    behaviors: Sequence[object] = (),
) -> Callable[[C], C]: ...
def service_behavior(
    service: Any = None,
    *,
    instance_context_mode: InstanceContextMode = InstanceContextMode.PER_SESSION,
    concurrency_mode: ConcurrencyMode = ConcurrencyMode.SINGLE,
    configuration_name: str | None = None,
    include_exception_detail_in_faults: bool = False,
    strict_callbacks: bool = False,
    behaviors: Sequence[object] = (),
) -> Any:
    """Say how a service class is instantiated and entered.

    Args:
        service: The class, when the decorator is used without parentheses.
        instance_context_mode: One object for each session (WCF's default), each call, or the host.
        concurrency_mode: How many operations may run in one object at a time.
        configuration_name: What ``<service name="...">`` calls the class, beside its Python name.
        include_exception_detail_in_faults: Tell callers what went wrong inside, traceback and all. For
            debugging only; ``serviceDebug`` says the same in a configuration file.
        strict_callbacks: WCF's rule: with ConcurrencyMode.SINGLE an operation may not wait for an answer of
            its own client. By default it may, since replies never wait behind calls.
        behaviors: Objects with ``validate`` and ``apply`` (``wsf.extensions.Behavior``), in order.

    Raises:
        ContractError: ``configuration_name`` is empty, a mode is none, or the class is a contract.

    WCF: ServiceBehaviorAttribute.
    """
    if configuration_name == "":
        raise ContractError(
            '@service_behavior(configuration_name=""): the name may not be empty; leave it out'
        )
    for given, mode in ((instance_context_mode, InstanceContextMode), (concurrency_mode, ConcurrencyMode)):
        if not isinstance(given, mode):
            words = " or ".join(f"{mode.__name__}.{member.name}" for member in mode)
            raise ContractError(f"@service_behavior({given!r}): write {words}")
    behavior = ServiceBehavior(
        instance_context_mode,
        concurrency_mode,
        configuration_name,
        include_exception_detail_in_faults,
        strict_callbacks,
        tuple(behaviors),
    )

    def decorate(target: C) -> C:
        if getattr(target, "_is_protocol", False):
            raise ContractError(
                f"@service_behavior is on {target.__qualname__}, which is a contract: put it on the class "
                f"that implements it"
            )
        setattr(target, _BEHAVIOR, behavior)
        return target

    return decorate if service is None else decorate(service)


def behavior_of(service: type[Any]) -> ServiceBehavior:
    """What a service class's own decorator said, or WCF's defaults: the attribute is not inherited."""
    behavior: ServiceBehavior = vars(service).get(_BEHAVIOR, ServiceBehavior())
    return behavior


@frozen
class ServiceThrottling:
    """How much a service does at once. What is over a limit waits, first come, first served.

    Attributes:
        max_concurrent_calls: Operations that run at the same time; default 16 for each processor.
        max_concurrent_sessions: Open sessions; by default as many as the process has file descriptors, less
            64. Upgrades over it wait, up to ``maxPendingConnections`` of them, then get 503.
        max_concurrent_instances: Service objects that live at the same time; by default as many as the
            sessions and calls make. A session's next message waits for a place.

    WCF: ServiceThrottlingElement.
    """

    max_concurrent_calls: int = field(factory=lambda: 16 * (os.cpu_count() or 1), validator=validators.ge(1))
    max_concurrent_sessions: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    max_concurrent_instances: int | None = field(
        default=None, validator=validators.optional(validators.ge(1))
    )


@frozen(kw_only=True)
class OutboxOperation:
    """Tighter bounds for the messages of one callback operation. Not in WCF.

    Attributes:
        name: The operation's wire name.
        max_bytes, max_messages: Of its messages among those that wait; within the outbox's.
        timeout: How long a caller waits for room, where the contract says ``Delivery.block``; within that.
    """

    name: str
    max_bytes: ByteCount | None = field(default=None, validator=validators.optional(validators.ge(1)))
    max_messages: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    timeout: Seconds | None = field(default=None, validator=validators.optional(validators.gt(0)))


@frozen
class OutboxSettings:
    """What may wait for one client; over a bound, the ``Delivery`` of the message's operation decides.

    A message larger than ``max_bytes`` is accepted when nothing else waits. Not in WCF.

    Attributes:
        linger: s that a message may wait for others, to be written together. 0: until the turn of the event
            loop ends, which costs no time.
        operations: Tighter bounds for some.
    """

    max_bytes: ByteCount = field(default=1024 * 1024, validator=validators.ge(1))
    max_messages: int = field(default=1024, validator=validators.ge(1))
    linger: Seconds = field(default=0.0, validator=(validators.ge(0), validators.le(MAX_LINGER)))
    operations: tuple[OutboxOperation, ...] = ()

    def __attrs_post_init__(self) -> None:
        for operation in self.operations:
            for bound in ("max_bytes", "max_messages"):
                own, most = getattr(operation, bound), getattr(self, bound)
                if own is not None and own > most:
                    raise ValueError(
                        f"operations: {operation.name!r} has a {bound} of {own}, over the outbox's {most}: "
                        f"an operation's own bound is a tighter one"
                    )

    def outlet(self, title: str, operation: OperationDescription) -> Outlet:
        """How the messages of a callback operation go out.

        Raises:
            ContractError: ``operations`` gives it a longer timeout than its contract, or one that it has no
                use for.
        """
        own = next((own for own in self.operations if own.name == operation.name), None)
        if own is None:
            return Outlet(title, operation.delivery)
        delivery = operation.delivery
        if own.timeout is not None:
            if delivery.mode is not DeliveryMode.BLOCK or own.timeout > delivery.timeout:
                raise ContractError(
                    f"outbox: operations: {own.name!r} has a timeout of {own.timeout:g} s; its contract says "
                    f"delivery {delivery}, and a timeout only shortens that of block"
                )
            delivery = Delivery.block(own.timeout)
        return Outlet(title, delivery, own.max_bytes, own.max_messages)


@frozen
class CallbackSettings:
    """What may be under way to and from one client while an operation waits for its answer. Not in WCF.

    Attributes:
        max_pending_calls: Calls to one client that may wait for its answer at the same time; one more is
            refused in the service that makes it.
        max_read_ahead_messages, max_read_ahead_bytes: What is read past while the session's turn is taken,
            to find the answer behind it. A larger message is taken when nothing else waits. Over a bound,
            calls that only the waiting messages' turn could end are refused.
    """

    max_pending_calls: int = field(default=128, validator=validators.ge(1))
    max_read_ahead_messages: int = field(default=64, validator=validators.ge(1))
    max_read_ahead_bytes: ByteCount = field(default=256 * 1024, validator=validators.ge(1))


@frozen
class StreamSettings:
    """What the streams of one session may hold; both of those it is sent, and of those it sends. Not in WCF.

    Attributes:
        max_streams: Open at the same time; one more call that streams is refused.
        max_values, max_bytes: Of one answer; a larger value goes alone. With all streams answered at once it
            is what an outbox holds by default.
        idle_timeout: s that a stream may wait until it is asked for more; then that stream ends.
    """

    max_streams: int = field(default=64, validator=validators.ge(1))
    max_values: int = field(default=128, validator=validators.ge(1))
    max_bytes: ByteCount = field(default=16 * 1024, validator=validators.ge(1))
    idle_timeout: Seconds = field(default=600.0, validator=validators.gt(0))


@frozen
class ServiceDebug:
    """WCF: ServiceDebugElement.

    Attributes:
        include_exception_detail_in_faults: Callers are told what went wrong inside. For debugging only.
    """

    include_exception_detail_in_faults: bool = False
    http_help_page_enabled: bool = no_effect(_NO_HELP_PAGE, default=True)
    https_help_page_enabled: bool = no_effect(_NO_HELP_PAGE, default=True)
    http_help_page_url: str = no_effect(_NO_HELP_PAGE, default="")
    https_help_page_url: str = no_effect(_NO_HELP_PAGE, default="")
    http_help_page_binding: str = no_effect(_NO_HELP_PAGE, default="")
    https_help_page_binding: str = no_effect(_NO_HELP_PAGE, default="")
    http_help_page_binding_configuration: str = no_effect(_NO_HELP_PAGE, default="")
    https_help_page_binding_configuration: str = no_effect(_NO_HELP_PAGE, default="")


@frozen
class ServiceMetadata:
    """WCF: ServiceMetadataPublishingElement."""

    http_get_enabled: bool = no_effect(_NO_WSDL, default=False)
    https_get_enabled: bool = no_effect(_NO_WSDL, default=False)
    http_get_url: str = no_effect(_NO_WSDL, default="")
    https_get_url: str = no_effect(_NO_WSDL, default="")
    http_get_binding: str = no_effect(_NO_WSDL, default="")
    https_get_binding: str = no_effect(_NO_WSDL, default="")
    http_get_binding_configuration: str = no_effect(_NO_WSDL, default="")
    https_get_binding_configuration: str = no_effect(_NO_WSDL, default="")
    external_metadata_location: str = no_effect(_NO_WSDL, default="")
    policy_version: str = no_effect(_NO_WSDL, default="Default")
