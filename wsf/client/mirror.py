"""A contract as its client sees it: what the service calls back is served, what it serves is called.

With it the rooms of the host serve a client unchanged: its dispatcher's contract is the callback contract,
and the "callback" proxies are the service.
"""

import inspect
from typing import Any, Final

import attrs

from wsf.behaviors import ConcurrencyMode, behavior_of
from wsf.bindings import Binding
from wsf.contracts import contract_attributes
from wsf.delivery import Delivery
from wsf.description import ContractDescription
from wsf.errors import ContractError
from wsf.implementation import implementation_of
from wsf.instancing import ClassInstanceProvider, Single
from wsf.reflection import check_at_open, describe
from wsf.throttling import UNLIMITED, Gate

__all__ = ("instancing_of", "mirrored", "service_contract_of")

#: why a client cannot call over this wire
_NO_REPLY: Final = "waits for a reply, which {encoding} cannot carry to a client of it"


def service_contract_of(contract: Any) -> ContractDescription:
    """The description of the contract that a client is to call.

    Raises:
        ContractError: It is no service contract, or breaks a rule of contracts.
    """
    if not isinstance(contract, type):
        raise ContractError(f"{contract!r} is no contract: give the class decorated with @service_contract")
    attributes = contract_attributes(contract)
    if attributes is not None and attributes.is_callback:
        raise ContractError(
            f"{contract.__qualname__} is a callback contract: a client calls the @service_contract that "
            f"names it, and gives an object that implements it"
        )
    description = describe(contract)
    check_at_open(description)
    return description


def mirrored(contract: ContractDescription, binding: Binding) -> ContractDescription:
    """The contract from the other side.

    A call to the service waits for room, up to sendTimeout: who waits is the caller alone, and no service.

    Raises:
        ContractError: The binding cannot carry it, here or there; names operation and remedy.
    """
    binding.check(contract)
    encoding: Any = binding.encoding
    for operation in contract.operations:
        if not (operation.is_one_way or encoding.carries_replies):
            raise ContractError(
                f"{contract.contract_type.__qualname__}.{operation.method} ({operation.location}) "
                f"{_NO_REPLY.format(encoding=type(encoding).__name__)}: set is_one_way=True, or use another"
            )
    patient = Delivery.block(binding.send_timeout)
    called = attrs.evolve(
        contract,
        callback=None,
        operations=tuple(attrs.evolve(operation, delivery=patient) for operation in contract.operations),
    )
    if contract.callback is None:
        return attrs.evolve(contract, operations=(), callback=called)
    encoding.check(contract.callback)  # what a host can send, this end can take
    return attrs.evolve(contract.callback, callback=called)


def instancing_of(contract: ContractDescription, instance: object) -> tuple[Single, ConcurrencyMode]:
    """Who serves the calls of the service: the one object, as its behavior says.

    Raises:
        ContractError: It does not implement the callback contract; or there is one, and none is wanted.
    """
    promised, title = contract.callback, contract.contract_type.__qualname__
    if promised is None and instance is not None:
        raise ContractError(
            f"{title} names no callback contract: nobody would call {type(instance).__qualname__}; give None"
        )
    if promised is not None:
        _check_implements(title, promised, instance)
    mode = behavior_of(type(instance)).concurrency_mode
    provider = ClassInstanceProvider(type(instance))
    served = object() if instance is None else instance
    return Single(provider, mode, Gate(UNLIMITED), instance=served), mode


def _check_implements(title: str, promised: ContractDescription, instance: object) -> None:
    wanted, kind = promised.contract_type, type(instance)
    if instance is None:
        raise ContractError(
            f"{title} has the callback contract {wanted.__qualname__}: give an object that implements it"
        )
    if isinstance(instance, type):
        raise ContractError(
            f"{instance.__qualname__} is a class: give an object, {instance.__qualname__}(...)"
        )
    missing = [o.method for o in promised.operations if inspect.getattr_static(kind, o.method, None) is None]
    if wanted not in kind.__mro__:
        lacks = f", and has no {', '.join(missing)}" if missing else ""
        raise ContractError(
            f"{kind.__qualname__} does not derive from {wanted.__qualname__}, the callback contract of "
            f"{title}{lacks}: write class {kind.__name__}({wanted.__name__})"
        )
    implementation_of(kind, promised)
