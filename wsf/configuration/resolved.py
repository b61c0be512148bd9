"""What a host needs of a model, with every name followed: services, and their endpoints.

Endpoints that name the same binding have the very same object. WCF: ConfigLoader.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from attrs import field, frozen

from wsf import families
from wsf.bindings import Binding
from wsf.configuration.addresses import absolute, is_relative, joined
from wsf.configuration.document import Document, Path, Problem
from wsf.configuration.model import (
    ClientEndpointElement,
    EndpointBehaviorElement,
    EndpointElement,
    HostElement,
    ServiceBehaviorElement,
    ServiceElement,
    ServiceModel,
)
from wsf.configuration.references import address_problem, connection_problem

__all__ = ("ConfiguredClientEndpoint", "ConfiguredEndpoint", "ConfiguredService", "Resolution", "resolve")

_AUTHENTICATION: Final = ("serviceAuthenticationManager", "serviceAuthenticationManagerType")

N = TypeVar("N", ServiceBehaviorElement, EndpointBehaviorElement, Binding)


@frozen
class ConfiguredEndpoint:
    """One way into a service.

    Attributes:
        address: Absolute. (Under ``check_only``, with a transport from outside: as the file has it.)
        binding: Shared with all endpoints that name it.
        contract: What the file calls it: a configuration name or a Python name.
        name: Empty if the file gives none.
        behavior: The one it names, or the one without a name, or WCF's defaults.
        place: ``file:line:column``, for messages.
    """

    address: str
    binding: Binding
    contract: str
    name: str
    behavior: EndpointBehaviorElement
    place: str = field(eq=False)


@frozen
class ConfiguredClientEndpoint:
    """One way to a service.

    Attributes:
        address: As the file has it: ``ws://`` or ``wss://``.
        binding: Shared with all endpoints that name it, a service's too.
        contract: What the file calls it: a configuration name or a Python name.
        name: Empty if the file gives none.
        behavior: The one it names, or the one without a name, or the defaults.
        place: ``file:line:column``, for messages.
    """

    address: str
    binding: Binding
    contract: str
    name: str
    behavior: EndpointBehaviorElement
    place: str = field(eq=False)


@frozen
class ConfiguredService:
    """One service to host.

    Attributes:
        name: What the file calls it: a configuration name or a Python name.
        endpoints: In file order.
        behavior: The one it names, or the one without a name, or WCF's defaults.
        host: Its base addresses, timeouts and page.
        place: ``file:line:column``, for messages.
        authentication_place: The same, of ``serviceAuthenticationManagerType``; empty if there is none.
    """

    name: str
    endpoints: tuple[ConfiguredEndpoint, ...]
    behavior: ServiceBehaviorElement
    host: HostElement
    place: str = field(eq=False)
    authentication_place: str = field(default="", eq=False)


@frozen
class Resolution:
    """A model with every name followed, and what could not be known before its objects were there."""

    services: tuple[ConfiguredService, ...]
    client_endpoints: tuple[ConfiguredClientEndpoint, ...]
    problems: list[Problem]


def resolve(model: ServiceModel, document: Document) -> Resolution:
    """The services and the client's endpoints of a model."""
    resolver = _Resolver(model, document)
    services = tuple(resolver.service(position, service) for position, service in enumerate(model.services))
    endpoints = enumerate(model.client.endpoints)
    clients = tuple(resolver.client_endpoint(position, endpoint) for position, endpoint in endpoints)
    return Resolution(services, clients, resolver.problems)


class _Resolver:
    def __init__(self, model: ServiceModel, document: Document) -> None:
        self.problems: list[Problem] = []
        self._model = model
        self._document = document
        self._defaults: dict[str, Binding] = {}

    def service(self, position: int, service: ServiceElement) -> ConfiguredService:
        """One service, the ``position``-th of its file."""
        behaviors = self._model.behaviors
        behavior = _chosen(behaviors.service_behaviors, service.behavior_configuration)
        bases = {absolute(base).scheme: base for base in service.host.base_addresses}
        endpoints = (
            ConfiguredEndpoint(
                address=self._address(endpoint, bases, ("services", position, "endpoints", number)),
                binding=self._binding(endpoint),
                contract=endpoint.contract,
                name=endpoint.name,
                behavior=_chosen(behaviors.endpoint_behaviors, endpoint.behavior_configuration)
                or EndpointBehaviorElement(),
                place=self._place("services", position, "endpoints", number, "contract"),
            )
            for number, endpoint in enumerate(service.endpoints)
        )
        return ConfiguredService(
            name=service.name,
            endpoints=tuple(endpoints),
            behavior=behavior or ServiceBehaviorElement(),
            host=service.host,
            place=self._place("services", position, "name"),
            authentication_place=self._authentication_place(behavior),
        )

    def client_endpoint(self, position: int, endpoint: ClientEndpointElement) -> ConfiguredClientEndpoint:
        """One endpoint of the client, the ``position``-th of its file."""
        binding, path = self._binding(endpoint), ("client", "endpoints", position)
        scheme: str | None = getattr(binding.transport, "scheme", None)
        problem = connection_problem(endpoint.address, scheme)
        if problem is not None:
            place = self._document.entries[(*path, "address")].value
            self.problems.append(Problem(place, f"address: {problem}"))
        behaviors = self._model.behaviors.endpoint_behaviors
        return ConfiguredClientEndpoint(
            address=endpoint.address,
            binding=binding,
            contract=endpoint.contract,
            name=endpoint.name,
            behavior=_chosen(behaviors, endpoint.behavior_configuration) or EndpointBehaviorElement(),
            place=self._place(*path, "contract"),
        )

    def _authentication_place(self, behavior: ServiceBehaviorElement | None) -> str:
        if (
            behavior is None
            or not behavior.service_authentication_manager.service_authentication_manager_type
        ):
            return ""
        position = self._model.behaviors.service_behaviors.index(behavior)
        return self._place("behaviors", "serviceBehaviors", position, *_AUTHENTICATION)

    def _binding(self, endpoint: EndpointElement | ClientEndpointElement) -> Binding:
        binding = _chosen(self._model.bindings.get(endpoint.binding, ()), endpoint.binding_configuration)
        if binding is None:
            make: Callable[[], Binding] = families.find("bindings", endpoint.binding)
            binding = self._defaults.setdefault(endpoint.binding, make())
        return binding

    def _address(self, endpoint: EndpointElement, bases: Mapping[str, str], path: Path) -> str:
        scheme: str | None = getattr(self._binding(endpoint).transport, "scheme", None)
        problem = address_problem(endpoint.address, bases, scheme)
        if problem is not None:
            place = self._document.entries.get((*path, "address"), self._document.entries[path]).value
            self.problems.append(Problem(place, f"address: {problem}"))
        if scheme is not None and scheme in bases and is_relative(endpoint.address):
            return joined(bases[scheme], endpoint.address)
        return endpoint.address

    def _place(self, *path: str | int) -> str:
        place = self._document.entries[path].value
        return f"{self._document.file}:{place.line}:{place.column}"


def _chosen(candidates: Iterable[N], name: str) -> N | None:
    return next((candidate for candidate in candidates if candidate.name == name), None)
