"""What endpoint behaviors say of clients: certificates that can be used, and settings nobody will heed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from wsf.configuration.document import Document, Problem
from wsf.configuration.model import ServiceModel
from wsf.configuration.resolved import ConfiguredClientEndpoint, ConfiguredService
from wsf.configuration.words import camel_case
from wsf.credentials import CertificateFileError

__all__ = ("client_problems", "client_warnings", "clients_with_whole_paths")

_BEHAVIORS: Final = ("behaviors", "endpointBehaviors")

#: what of an endpoint behavior is a client's
_OF_CLIENTS: Final = ("client_credentials", "reconnect", "outbox", "callbacks")

#: where in clientCredentials the words stand that an error may name
_GROUPS: Final = {"certificateAuthorityFile": ("serviceCertificate", "authentication")}


def clients_with_whole_paths(
    endpoints: Sequence[ConfiguredClientEndpoint], document: Document
) -> tuple[ConfiguredClientEndpoint, ...]:
    """The same endpoints; the PEM files that their behaviors name stand beside the configuration file."""
    folder, found = Path(document.file).parent, list[ConfiguredClientEndpoint]()
    for endpoint in endpoints:
        credentials = endpoint.behavior.client_credentials
        if credentials is not None:
            behavior = attrs.evolve(endpoint.behavior, client_credentials=credentials.under(folder))
            endpoint = attrs.evolve(endpoint, behavior=behavior)  # noqa: PLW2901 - the same, its paths whole
        found.append(endpoint)
    return tuple(found)


def client_problems(model: ServiceModel, document: Document) -> Iterator[Problem]:
    """What keeps a client's certificate, or that of an authority, from being used."""
    for position, behavior in enumerate(model.behaviors.endpoint_behaviors):
        if behavior.client_credentials is None:
            continue
        try:
            behavior.client_credentials.under(Path(document.file).parent).client_context()
        except CertificateFileError as error:
            path = (*_BEHAVIORS, position, "clientCredentials")
            group = _GROUPS.get(error.setting, ("clientCertificate",))
            entries = document.entries
            entry = entries.get((*path, *group, error.setting)) or entries.get((*path, *group), entries[path])
            yield Problem(entry.value, str(error))


def client_warnings(
    model: ServiceModel, services: Sequence[ConfiguredService], document: Document
) -> Iterator[Problem]:
    """Settings of clients in behaviors that a service's endpoint has, and no client's."""
    behaviors = model.behaviors.endpoint_behaviors
    of_clients = {endpoint.behavior_configuration for endpoint in model.client.endpoints}
    of_services = {endpoint.behavior.name for service in services for endpoint in service.endpoints}
    for position, behavior in enumerate(behaviors):
        if behavior.name in of_clients or behavior.name not in of_services:
            continue
        for name in _OF_CLIENTS:
            key = camel_case(name)
            entry = document.entries.get((*_BEHAVIORS, position, key))
            if entry is not None:
                yield Problem(
                    entry.key, f"{key} has no effect: it is for clients, and no client's endpoint has it"
                )
