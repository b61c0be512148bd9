"""From a configuration file to the endpoint that a contract is called at. WCF: ConfigLoader."""

import ssl
from os import PathLike
from typing import Any

from wsf.configuration import Configuration, ConfiguredClientEndpoint, load
from wsf.configuration.words import did_you_mean, listing, quoted
from wsf.description import ContractDescription
from wsf.errors import ConfigurationError
from wsf.families import resolve

__all__ = ("endpoint_of", "tls_of")


def endpoint_of(
    source: Configuration | str | PathLike[str], contract: ContractDescription, name: str
) -> ConfiguredClientEndpoint:
    """The endpoint of a name; without one, the only endpoint of the contract.

    Raises:
        ConfigurationError: The file is not right; there is no such endpoint, or several; or it is another
            contract's.
    """
    configuration = source if isinstance(source, Configuration) else load(source)
    title, endpoints = contract.contract_type.__qualname__, configuration.client_endpoints
    if name:
        found = next((endpoint for endpoint in endpoints if endpoint.name == name), None)
        if found is None:
            hint = did_you_mean(name, [endpoint.name for endpoint in endpoints if endpoint.name])
            raise ConfigurationError(f"{configuration.file}: client has no endpoint {quoted(name)}{hint}")
        if not _is_of(found, contract):
            raise ConfigurationError(
                f"{found.place}: contract: the endpoint {quoted(name)} is for {quoted(found.contract)}, and "
                f"not for {title} ({contract.configuration_name})"
            )
        return found
    of_contract = [endpoint for endpoint in endpoints if _is_of(endpoint, contract)]
    if not of_contract:
        known = [endpoint.contract for endpoint in endpoints]
        hint = did_you_mean(contract.configuration_name, known)
        raise ConfigurationError(
            f"{configuration.file}: client has no endpoint for {title} ({contract.configuration_name}){hint}"
        )
    if len(of_contract) > 1:
        names = listing(quoted(endpoint.name) for endpoint in of_contract)
        raise ConfigurationError(
            f"{of_contract[1].place}: client has several endpoints for {title}: give a name, {names}"
        )
    return of_contract[0]


def tls_of(endpoint: ConfiguredClientEndpoint) -> ssl.SSLContext | None:
    """What its ``clientCredentials`` say; None without any.

    Raises:
        CertificateFileError: A file cannot be used any more.
    """
    credentials = endpoint.behavior.client_credentials
    return None if credentials is None else credentials.client_context()


def _is_of(endpoint: ConfiguredClientEndpoint, contract: ContractDescription) -> bool:
    if endpoint.contract == contract.configuration_name:
        return True
    try:
        named: Any = resolve(endpoint.contract)
    except LookupError:
        return False
    return named is contract.contract_type
