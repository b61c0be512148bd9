"""What a host asks of a service class before it makes objects of it. WCF: ``new ServiceHost``, ``Open``."""

import inspect
from collections.abc import Iterable
from typing import Any

from wsf.description import ContractDescription
from wsf.errors import ContractError
from wsf.transports import Authenticate

__all__ = ("check_asynchronous", "check_creatable", "check_one_description", "service_type_of")


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
                f"{service.__qualname__}.__init__ needs {parameter.name!r}: give it a default, or make the "
                f"object yourself and give it to the host (InstanceContextMode.SINGLE)"
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
