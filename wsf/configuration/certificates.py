"""Whether the certificates that a file names can be used, and are: PEM files are read here, and forgotten.

``--check`` reads them, too: a certificate is as much a part of the configuration as the line that names it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from wsf.configuration.document import Document, Entry, Problem
from wsf.configuration.document import Path as TreePath
from wsf.configuration.model import ServiceBehaviorElement, ServiceModel
from wsf.configuration.resolved import ConfiguredService
from wsf.credentials import CertificateFileError

__all__ = ("certificate_problems", "certificate_warnings", "with_whole_paths")

#: where the credentials of a service behavior stand, and in them the words that an error may name
_BEHAVIORS: Final = ("behaviors", "serviceBehaviors")
_SHOWN: Final = ("serviceCredentials", "serviceCertificate")
_ASKED: Final = ("serviceCredentials", "clientCertificate", "authentication")


def with_whole_paths(
    services: Sequence[ConfiguredService], document: Document
) -> tuple[ConfiguredService, ...]:
    """The same services; the PEM files that their behaviors name stand beside the configuration file."""
    return tuple(
        attrs.evolve(service, behavior=_with_whole_paths(service.behavior, document)) for service in services
    )


def certificate_problems(
    model: ServiceModel, services: Sequence[ConfiguredService], document: Document
) -> Iterator[Problem]:
    """What keeps a certificate from being used, and endpoints that need one and have none."""
    for position, behavior in enumerate(model.behaviors.service_behaviors):
        credentials = _with_whole_paths(behavior, document).service_credentials
        if credentials.service_certificate is None:
            continue
        asks = bool(credentials.client_certificate.authentication.certificate_authority_file)
        try:
            credentials.server_context(require_client_certificate=asks)
        except CertificateFileError as error:
            entry = _entry(document, (*_BEHAVIORS, position), error.setting)
            yield Problem(entry.value, str(error))
    for position, service in enumerate(services):
        for number, endpoint in enumerate(service.endpoints):
            what = _missing(service.behavior, endpoint.binding.transport)
            if what is not None:
                entry = document.entries["services", position, "endpoints", number, "binding"]
                yield Problem(entry.value, f"binding: {what}")


def certificate_warnings(
    model: ServiceModel, services: Sequence[ConfiguredService], document: Document
) -> Iterator[Problem]:
    """Certificates that nobody will see, because no endpoint is over httpsTransport or none asks for them."""
    for position, behavior in enumerate(model.behaviors.service_behaviors):
        credentials = behavior.service_credentials
        transports = [
            endpoint.binding.transport
            for service in services
            if service.behavior.name == behavior.name
            for endpoint in service.endpoints
        ]
        root = (*_BEHAVIORS, position)
        if credentials.service_certificate is not None and not any(map(_is_secure, transports)):
            yield Problem(
                document.entries[(*root, *_SHOWN)].key,
                "serviceCertificate has no effect: no endpoint with this behavior is over httpsTransport",
            )
        elif credentials.client_certificate.authentication.certificate_authority_file and not any(
            map(_asks_clients, transports)
        ):
            yield Problem(
                _entry(document, root, "certificateAuthorityFile").key,
                "certificateAuthorityFile has no effect: no httpsTransport has requireClientCertificate",
            )


def _with_whole_paths(behavior: ServiceBehaviorElement, document: Document) -> ServiceBehaviorElement:
    credentials = behavior.service_credentials.under(Path(document.file).parent)
    return attrs.evolve(behavior, service_credentials=credentials)


def _missing(behavior: ServiceBehaviorElement, transport: Any) -> str | None:
    """What an endpoint over TLS needs that its service's behavior does not have."""
    credentials = behavior.service_credentials
    if _is_secure(transport) and credentials.service_certificate is None:
        return (
            "httpsTransport needs a certificate: name certificateFile and keyFile in "
            "serviceCredentials/serviceCertificate of the service's behavior"
        )
    authority = credentials.client_certificate.authentication.certificate_authority_file
    if _asks_clients(transport) and not authority:
        return (
            "requireClientCertificate needs to know whose: name certificateAuthorityFile in "
            "serviceCredentials/clientCertificate/authentication of the service's behavior"
        )
    return None


def _is_secure(transport: Any) -> bool:
    return getattr(transport, "scheme", None) == "https"


def _asks_clients(transport: Any) -> bool:
    return bool(getattr(transport, "require_client_certificate", False))


def _entry(document: Document, behavior: TreePath, word: str) -> Entry:
    """Where a word of the credentials stands; or the element that should have it."""
    group = _ASKED if word == "certificateAuthorityFile" else _SHOWN
    return document.entries.get((*behavior, *group, word)) or document.entries[(*behavior, *group)]
