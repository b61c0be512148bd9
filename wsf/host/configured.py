"""From a configuration to hosts: names become classes, and only now, after the whole file was right.

WCF: what ``new ServiceHost(typeof(Service))`` does with App.config.
"""

import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from wsf.behaviors import behavior_of
from wsf.configuration import Configuration, ConfiguredService
from wsf.errors import ConfigurationError, ContractError
from wsf.extensions import Behavior
from wsf.families import resolve
from wsf.host.construction import check_asynchronous
from wsf.host.service_host import Listeners, ServiceHost
from wsf.transports import Authenticate

__all__ = ("allow_origins", "hosts_of", "service_class")

#: what to do about a service name that is no Python name
CLASS_REMEDY: Final = "; if that is a configuration name, give the class: wsf host CONFIG package.Class"


def hosts_of(
    configuration: Configuration, service: type[Any] | None = None, *, behaviors: Sequence[Behavior] = ()
) -> list[ServiceHost]:
    """A host for each service of a configuration, or for the given class alone. None is open yet.

    Args:
        service: The class that the file calls by its configuration name, or by its Python name.
        behaviors: Extensions for each host, after those of its class and of the file.

    Raises:
        ConfigurationError: A name leads nowhere, or to what cannot be hosted; with file, line and column.
    """
    listeners: Listeners = {}
    if service is not None:
        return [_host(_configured(configuration, service), service, listeners, behaviors)]
    if not configuration.services:
        raise ConfigurationError(f"{configuration.file}: there is no service in it")
    hosts: list[ServiceHost] = []
    for configured in configuration.services:
        found = service_class(configured.name, configured.place, CLASS_REMEDY)
        hosts.append(_host(configured, found, listeners, behaviors))
    return hosts


def service_class(name: str, place: str, remedy: str = "") -> type[Any]:
    """The class that a name leads to; ``remedy`` ends the message if it leads nowhere.

    Raises:
        ConfigurationError: There is none, it is no class, or its module does not import.
    """
    try:
        found = resolve(name)
    except LookupError as error:
        raise ConfigurationError(f"{place}: service {name!r}: {error}{remedy}") from None
    except Exception as error:
        raise ConfigurationError(
            f"{place}: service {name!r}: importing it failed: {_where(error)}"
        ) from error
    if not isinstance(found, type):
        raise ConfigurationError(f"{place}: service {name!r} is a {type(found).__name__}, not a class")
    return found


def allow_origins(configuration: Configuration, origins: Iterable[str]) -> Configuration:
    """The same configuration, with more allowed origins for every endpoint that speaks WebSocket."""
    bindings: dict[int, Any] = {}

    def opened(binding: Any) -> Any:
        settings = binding.transport.web_socket_settings
        settings = attrs.evolve(settings, allowed_origins=(*settings.allowed_origins, *origins))
        return attrs.evolve(binding, transport=attrs.evolve(binding.transport, web_socket_settings=settings))

    for service in configuration.services:
        for endpoint in service.endpoints:  # endpoints that share a binding go on sharing one
            try:
                bindings.setdefault(id(endpoint.binding), opened(endpoint.binding))
            except ValueError as error:
                raise ConfigurationError(f"--allow-origin: {error}") from None
    return attrs.evolve(
        configuration,
        services=tuple(
            attrs.evolve(
                service,
                endpoints=tuple(
                    attrs.evolve(endpoint, binding=bindings[id(endpoint.binding)])
                    for endpoint in service.endpoints
                ),
            )
            for service in configuration.services
        ),
    )


def _configured(configuration: Configuration, service: type[Any]) -> ConfiguredService:
    names = {behavior_of(service).configuration_name, f"{service.__module__}.{service.__qualname__}"}
    for configured in configuration.services:
        if configured.name in names or _leads_to(configured.name, service):
            return configured
    there = ", ".join(repr(configured.name) for configured in configuration.services) or "none"
    raise ConfigurationError(
        f"{configuration.file}: no service in it is {service.__module__}.{service.__qualname__} "
        f'(there: {there}): give the class @service_behavior(configuration_name="...") with that name'
    )


def _leads_to(name: str, service: type[Any]) -> bool:
    try:
        return resolve(name) is service
    except LookupError:
        return False


def _authenticate(configured: ConfiguredService) -> Authenticate | None:
    """What ``serviceAuthenticationManagerType`` leads to."""
    name = configured.behavior.service_authentication_manager.service_authentication_manager_type
    if not name:
        return None
    what = f"{configured.authentication_place}: serviceAuthenticationManagerType: {name!r}"
    try:
        return check_asynchronous(resolve(name))
    except LookupError as error:
        raise ConfigurationError(f"{what}: {error}") from None
    except ContractError as error:
        raise ConfigurationError(f"{what}: {error}") from None
    except Exception as error:  # the author's module
        raise ConfigurationError(f"{what}: importing it failed: {_where(error)}") from error


def _host(
    configured: ConfiguredService, service: type[Any], listeners: Listeners, behaviors: Sequence[Behavior]
) -> ServiceHost:
    behavior, place = configured.behavior, configured.place
    authenticate = _authenticate(configured)
    try:
        host = ServiceHost(
            service,
            throttling=behavior.service_throttling,
            outbox=behavior.outbox,
            callbacks=behavior.callbacks,
            streams=behavior.streams,
            debug=behavior.service_debug,
            credentials=behavior.service_credentials,
            authenticate=authenticate,
            behaviors=(*behavior.behaviors, *behaviors),
            open_timeout=configured.host.timeouts.open_timeout,
            close_timeout=configured.host.timeouts.close_timeout,
            drain=configured.host.drain,
            static_content=configured.host.static_content,
            listeners=listeners,
        )
        for endpoint in configured.endpoints:
            place = endpoint.place
            host.add_service_endpoint(endpoint.contract, endpoint.binding, endpoint.address, endpoint.name)
        place = configured.place
        host.build()
    except (ContractError, ConfigurationError) as error:
        raise ConfigurationError(f"{place}: {error}") from error
    except Exception as error:  # a service's own constructor
        raise ConfigurationError(f"{place}: making {configured.name!r} failed: {_where(error)}") from error
    return host


def _where(error: Exception) -> str:
    """An author's error as one line: where, and what."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}: {error!r}"
