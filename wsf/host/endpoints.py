"""Endpoints: an address, a binding, a contract; and how each is found or taken apart."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from wsf.bindings import Binding
from wsf.configuration.addresses import Address, absolute
from wsf.description import ContractDescription
from wsf.errors import ContractError
from wsf.families import resolve

__all__ = (
    "ServiceEndpoint",
    "check_scheme",
    "find_contract",
    "refuse_paths",
    "split_address",
    "with_port",
)


@frozen
class ServiceEndpoint:
    """One way into a service: address, binding, contract. WCF: ServiceEndpoint.

    ``address`` has the port that is listened on, once the host is open.
    """

    name: str
    address: str
    binding: Binding
    contract: ContractDescription

    @property
    def site(self) -> str:
        """Scheme, host and port of the address; empty for a path of somebody else's site."""
        parts = split_address(self.address)
        port = "" if parts.port is None else f":{parts.port}"
        return f"{parts.scheme}://{parts.host}{port}" if parts.host else ""


def find_contract(
    service: str, contracts: Sequence[ContractDescription], contract: type[Any] | str
) -> ContractDescription:
    """The contract of a service that a class, a configuration name or a Python name means.

    Raises:
        ContractError: The service implements no such contract. WCF: SfxReflectedContractKeyNotFound2.
    """
    named = _named(contract) if isinstance(contract, str) else contract
    for description in contracts:
        if contract == description.configuration_name or named is description.contract_type:
            return description
    promised = ", ".join(description.configuration_name for description in contracts)
    wanted = contract if isinstance(contract, str) else contract.__qualname__
    raise ContractError(f"{service} does not implement the contract {wanted}; it implements {promised}")


def check_scheme(address: str, binding: Binding) -> None:
    """Refuse an address that its binding's transport does not listen on.

    Raises:
        ContractError: It is no address, or has another scheme.
    """
    parts, scheme = split_address(address), binding.transport.scheme
    if parts.host and parts.scheme != scheme:
        raise ContractError(
            f"address: {address!r} begins with {parts.scheme}://, but the binding's transport listens on {scheme}://"
        )


def refuse_paths(endpoints: Sequence[ServiceEndpoint]) -> None:
    """Refuse endpoints of a host that listens itself whose addresses do not say where.

    Raises:
        ContractError: An address is only a path.
    """
    for endpoint in endpoints:
        if not endpoint.site:
            raise ContractError(
                f"address: {endpoint.address!r} is a path: mount the host into an application, or write "
                f"http://host:port{endpoint.address}"
            )


def split_address(address: str) -> Address:
    """The parts of an address; one that begins with a slash is a path of somebody else's site.

    Raises:
        ContractError: It is neither.
    """
    if address.startswith("/"):
        return Address("http", "", None, address)
    try:
        return absolute(address)
    except ValueError as error:
        raise ContractError(f"address: {error}") from None


def with_port(address: str, port: int) -> str:
    """An address with the port that is listened on in place of ``:0``."""
    parts = split_address(address)
    return f"{parts.scheme}://{parts.host}:{port}{parts.path}" if parts.port == 0 else address


def _named(name: str) -> object:
    """What a Python name leads to; None where it is no Python name."""
    try:
        return resolve(name)
    except LookupError:
        return None
