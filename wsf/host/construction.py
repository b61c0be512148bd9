"""What a host asks of a service class before it makes objects of it. WCF: ``new ServiceHost``, ``Open``."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from wsf.behaviors import InstanceContextMode, OutboxSettings, ServiceBehavior
from wsf.description import ContractDescription, ServiceDescription
from wsf.errors import ContractError
from wsf.extensions import Behavior, DispatchRuntime
from wsf.instancing import ClassInstanceProvider, InstanceProvider, Instancing, Single, instancing_for
from wsf.throttling import Gate
from wsf.transports import Authenticate

__all__ = (
    "check_asynchronous",
    "check_creatable",
    "check_one_description",
    "check_outbox_operations",
    "extended",
    "make_instancing",
    "service_type_of",
)


def service_type_of(service: object) -> type[Any]:
    """The class of a service, given as a class or as an object of it."""
    return service if isinstance(service, type) else type(service)


def check_creatable(service: object) -> None:
    """Refuse a class that cannot be instantiated without arguments; an object is always right.

    Raises:
        ContractError: With the parameter that is in the way.
    """
    if not isinstance(service, type):
        return
    missing = getattr(service, "__abstractmethods__", ())
    if missing or getattr(service, "_is_protocol", False):
        raise ContractError(f"{service.__qualname__} is abstract: host a class that implements the contract")
    for parameter in list(inspect.signature(service).parameters.values()):
        if parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            raise ContractError(
                f"{service.__qualname__}.__init__ needs {parameter.name!r}: give it a default, install an "
                f"instance provider (docs/extending.md), or make the object yourself and give it to the host "
                f"(InstanceContextMode.SINGLE)"
            )


def check_asynchronous(authenticate: Any) -> Authenticate:
    """``authenticate`` itself, which may not hold up everybody else.

    Raises:
        ContractError: It is neither an ``async def`` function nor an object whose ``__call__`` is one.
    """
    is_function = inspect.iscoroutinefunction(authenticate)
    if isinstance(authenticate, type) or not (
        is_function or inspect.iscoroutinefunction(getattr(authenticate, "__call__", None))  # noqa: B004
    ):
        raise ContractError(
            f"authenticate: {authenticate!r} is not asynchronous: give an async def function of one "
            f"UpgradeRequest, or an object whose __call__ is one"
        )
    checked: Authenticate = authenticate
    return checked


def check_one_description(contracts: Iterable[ContractDescription]) -> None:
    """Refuse two contracts of one name and namespace: their actions would be the same.

    Raises:
        ContractError: WCF: SFxMultipleContractsWithSameName.
    """
    seen: dict[tuple[str, str], ContractDescription] = {}
    for contract in contracts:
        other = seen.setdefault((contract.namespace, contract.name), contract)
        if other is not contract:
            raise ContractError(
                f"{other.contract_type.__qualname__} and {contract.contract_type.__qualname__} are both "
                f"{contract.namespace}{contract.name}: give one of them another name= or namespace="
            )


def check_outbox_operations(settings: OutboxSettings, contracts: Iterable[ContractDescription]) -> None:
    """Refuse bounds for a callback operation that there is none of.

    Raises:
        ContractError: With those that there are.
    """
    callbacks = [contract.callback for contract in contracts if contract.callback is not None]
    names = sorted({operation.name for callback in callbacks for operation in callback.operations})
    for bounded in settings.operations:
        if bounded.name not in names:
            raise ContractError(
                f"outbox: operations: {bounded.name!r} is no callback operation; there are: "
                f"{', '.join(names) or 'none'}"
            )


def extended(service: ServiceDescription, behaviors: Sequence[Behavior]) -> DispatchRuntime:
    """What a service's behaviors install: all validate first, then each applies, in order.

    Raises:
        ContractError: One of them is no behavior, does not fit the service, or installs what does not fit.

    WCF: DispatcherBuilder, which does it at ``Open``.
    """
    for behavior in behaviors:
        if not (hasattr(behavior, "validate") and hasattr(behavior, "apply")) or isinstance(behavior, type):
            raise ContractError(
                f"{service.name}: {behavior!r} is no behavior: give an object with validate(description) and "
                f"apply(runtime)"
            )
        behavior.validate(service)
    runtime = DispatchRuntime()
    for behavior in behaviors:
        behavior.apply(runtime)
        _check_installed(type(behavior).__qualname__, runtime)
    return DispatchRuntime(  # lists of its own: what is installed later has no effect
        runtime.instance_provider,
        list(runtime.message_inspectors),
        list(runtime.operation_wrappers),
        list(runtime.error_handlers),
    )


def _check_installed(behavior: str, runtime: DispatchRuntime) -> None:
    provider = runtime.instance_provider
    for kind, methods, installed in (
        ("instance provider", ("get_instance", "release_instance"), [] if provider is None else [provider]),
        ("message inspector", ("connect", "received", "sending", "closed"), runtime.message_inspectors),
        ("operation wrapper", ("invoke",), runtime.operation_wrappers),
        ("error handler", ("provide_fault", "handle_error"), runtime.error_handlers),
    ):
        waits = kind in ("instance provider", "operation wrapper")
        for extension in installed:
            what = f"{behavior}.apply: {extension!r} is no {kind}"
            if isinstance(extension, type):
                raise ContractError(f"{what}: install an object, not a class")
            for name in methods:
                method = getattr(extension, name, None)
                if not callable(method):
                    raise ContractError(f"{what}: it has no {name}()")
                if not waits and inspect.iscoroutinefunction(method):
                    raise ContractError(f"{what}: {name} must be a plain 'def': nothing there may wait")


def make_instancing(
    service: Any,
    behavior: ServiceBehavior,
    provider: InstanceProvider | None,
    instances: Gate,
    host: object,
) -> Instancing:
    """The instancing of a service, given as a class or as the one object.

    Raises:
        ContractError: An object is given, and the mode is not SINGLE, or there is a provider, too.
    """
    mode = behavior.instance_context_mode
    if isinstance(service, type):
        maker = provider or ClassInstanceProvider(service)
        return instancing_for(mode, behavior.concurrency_mode, maker, instances, host)
    name = f"{type(service).__module__}.{type(service).__qualname__}"
    if mode is not InstanceContextMode.SINGLE:
        raise ContractError(
            f"an object of {name} is given, but its instance_context_mode is {mode.name}: decorate the class "
            f"with @service_behavior(instance_context_mode=InstanceContextMode.SINGLE), or give the class"
        )
    if provider is not None:
        raise ContractError(f"an object of {name} is given, and an instance provider, too: give the class")
    maker = ClassInstanceProvider(type(service))
    return Single(maker, behavior.concurrency_mode, instances, host, instance=service)
