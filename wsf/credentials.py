"""What a service shows of itself, and what it asks of its clients: certificates. WCF: ServiceCredentials.

Certificates and keys are PEM files, read once, when the host is built: a renewed certificate is taken up by a
restart. Nothing secret stands in the settings: a key's password comes from the environment.
"""

import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
from attrs import field, frozen

from wsf.errors import ConfigurationError
from wsf.settings import no_effect, refused

__all__ = (
    "CertificateFileError",
    "ClientCertificate",
    "ClientCertificateAuthentication",
    "ClientCredentials",
    "ServiceCertificate",
    "ServiceCertificateAsked",
    "ServiceCertificateAuthentication",
    "ServiceCredentials",
)

#: bytes of a PEM file: a bundle of every public authority is a quarter of that
MAX_PEM_BYTES: Final = 1024 * 1024

#: what a TLS connection is asked to carry (RFC 7301): WebSockets begin with HTTP/1.1
ALPN_PROTOCOLS: Final = ("http/1.1",)

_NO_STORE: Final = "there is no Windows certificate store"
_NO_SOAP_SECURITY: Final = "there is no SOAP security"
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")


class CertificateFileError(ConfigurationError):
    """A PEM file cannot be used: ``setting`` is the word that names it, ``text`` what is wrong."""

    def __init__(self, setting: str, text: str) -> None:
        super().__init__(f"{setting}: {text}")
        self.setting = setting
        self.text = text


@frozen
class ServiceCertificate:
    """The certificate that a service shows to its clients. WCF: X509RecipientCertificateServiceElement.

    Attributes:
        certificate_file: PEM: the certificate, and those between it and its authority, in that order.
        key_file: PEM: its private key; empty: it stands in ``certificate_file``, too.
        key_password_variable: The environment variable with the key's password, if it is encrypted.
        find_value, store_location, store_name, x509_find_type: WCF's, for the Windows store: refused.
    """

    certificate_file: str = ""
    key_file: str = ""
    key_password_variable: str = ""
    find_value: str = ""
    store_location: str = "LocalMachine"
    store_name: str = "My"
    x509_find_type: str = "FindBySubjectDistinguishedName"

    def __attrs_post_init__(self) -> None:
        for name in ("find_value", "store_location", "store_name", "x509_find_type"):
            if getattr(self, name) != getattr(attrs.fields(type(self)), name).default:
                raise ValueError(
                    f"{name}: {_NO_STORE}: export the certificate and its key as PEM files, and name them in "
                    f"certificate_file and key_file"
                )
        if not self.certificate_file:
            raise ValueError("certificate_file is missing: name the PEM file of the certificate")

    def load_into(self, context: ssl.SSLContext) -> None:
        """Give a TLS context the certificate and its key.

        Raises:
            CertificateFileError: A file cannot be read, is not what it should be, or does not fit the other.
        """
        key_setting = "keyFile" if self.key_file else "certificateFile"
        key_file = self.key_file or self.certificate_file
        certificate = _pem("certificateFile", self.certificate_file, _CERTIFICATE, "certificate")
        _pem(key_setting, key_file, _PRIVATE_KEY, "private key")
        _trust("certificateFile", self.certificate_file, certificate, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        password = _Password(self.key_password_variable)
        try:
            context.load_cert_chain(self.certificate_file, key_file, password)
        except _NoPasswordError as error:
            raise CertificateFileError(error.setting or key_setting, str(error)) from None
        except (ssl.SSLError, OSError, ValueError) as error:
            if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
                text = f"{key_file!r} is not the key of the certificate"
            elif password.was_asked:
                text = f"the password in {self.key_password_variable} does not open {key_file!r}"
                raise CertificateFileError("keyPasswordVariable", text) from None
            else:
                text = f"{key_file!r} cannot be used: {_reason(error)}"
            raise CertificateFileError(key_setting, text) from None


@frozen
class ClientCertificateAuthentication:
    """Whose certificates let a client in. WCF: X509ClientCertificateAuthenticationElement.

    Attributes:
        certificate_authority_file: PEM: the authorities that sign clients' certificates. WCF asks the
            machine's store, where every public authority is one.
    """

    certificate_authority_file: str = ""
    certificate_validation_mode: str = refused("a certificate is checked by its chain", default="ChainTrust")
    custom_certificate_validator_type: str = refused("authenticate sees the certificate", default="")
    include_windows_groups: bool = no_effect("there are no Windows accounts", default=True)
    map_client_certificate_to_windows_account: bool = refused("there are no Windows accounts", default=False)
    revocation_mode: str = refused(
        "nobody is asked whether a certificate is revoked: let it live shortly, and write NoCheck",
        default="NoCheck",
    )
    trusted_store_location: str = refused(_NO_STORE, default="LocalMachine")


@frozen
class ClientCertificate:
    """What ``requireClientCertificate`` asks of clients. WCF: X509InitiatorCertificateServiceElement."""

    authentication: ClientCertificateAuthentication = ClientCertificateAuthentication()
    certificate: Any = refused("a client shows its certificate itself", default=None)


@frozen
class ServiceCredentials:
    """WCF: ServiceCredentials. ``type`` and those that are refused belong to SOAP's security."""

    service_certificate: ServiceCertificate | None = None
    client_certificate: ClientCertificate = field(default=ClientCertificate())
    type: str = refused("it names a .NET class", default="")
    identity_configuration: str = refused(_NO_SOAP_SECURITY, default="")
    use_identity_configuration: bool = refused(_NO_SOAP_SECURITY, default=False)
    issued_token_authentication: Any = refused(_NO_SOAP_SECURITY, default=None)
    peer: Any = refused("there are no peer channels", default=None)
    secure_conversation_authentication: Any = refused(_NO_SOAP_SECURITY, default=None)
    user_name_authentication: Any = refused(_NO_SOAP_SECURITY, default=None)
    windows_authentication: Any = refused("there is no Windows authentication", default=None)

    def server_context(self, *, require_client_certificate: bool) -> ssl.SSLContext:
        """What a listener needs: TLS 1.2 and up, OpenSSL's own choice of ciphers.

        No tickets are given, so that TLS 1.3 resumes nothing: a WebSocket lives long and shakes hands once,
        and the key of all tickets would be as old as the process.

        Raises:
            CertificateFileError: A file cannot be used, or is not named.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(ALPN_PROTOCOLS))
        context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 0
        if self.service_certificate is None:
            raise CertificateFileError("serviceCertificate", "it is missing")
        self.service_certificate.load_into(context)
        if require_client_certificate:
            file = self.client_certificate.authentication.certificate_authority_file
            if not file:
                text = "it is missing: name the PEM file of the authorities whose clients are let in"
                raise CertificateFileError("certificateAuthorityFile", text)
            content = _pem("certificateAuthorityFile", file, _CERTIFICATE, "certificate")
            _trust("certificateAuthorityFile", file, content, context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def under(self, folder: Path) -> "ServiceCredentials":
        """The same, its relative paths joined to a folder: a configuration file's."""

        def joined(file: str) -> str:
            return str(folder / file) if file else ""

        shown, asked = self.service_certificate, self.client_certificate
        if shown is not None:
            shown = attrs.evolve(
                shown, certificate_file=joined(shown.certificate_file), key_file=joined(shown.key_file)
            )
        file = joined(asked.authentication.certificate_authority_file)
        authentication = attrs.evolve(asked.authentication, certificate_authority_file=file)
        return attrs.evolve(
            self,
            service_certificate=shown,
            client_certificate=attrs.evolve(asked, authentication=authentication),
        )


@frozen
class ServiceCertificateAuthentication:
    """Whose certificates a client believes a service. WCF: X509ServiceCertificateAuthenticationElement.

    Attributes:
        certificate_authority_file: PEM: the authorities that sign services' certificates; empty: those of
            the system.
    """

    certificate_authority_file: str = ""
    certificate_validation_mode: str = refused("a certificate is checked by its chain", default="ChainTrust")
    custom_certificate_validator_type: str = refused(
        "a certificate is checked by its chain and its name", default=""
    )
    revocation_mode: str = refused(
        "nobody is asked whether a certificate is revoked: write NoCheck", default="NoCheck"
    )
    trusted_store_location: str = refused(_NO_STORE, default="LocalMachine")


@frozen
class ServiceCertificateAsked:
    """What a client asks of a service's certificate. WCF: X509RecipientCertificateClientElement."""

    authentication: ServiceCertificateAuthentication = ServiceCertificateAuthentication()


@frozen
class ClientCredentials:
    """What a client shows of itself, and what it asks of a service, over TLS. WCF: ClientCredentials.

    Attributes:
        client_certificate: The certificate that it shows to a service with ``requireClientCertificate``.
        service_certificate: Whom it trusts.
    """

    client_certificate: ServiceCertificate | None = None
    service_certificate: ServiceCertificateAsked = ServiceCertificateAsked()

    def client_context(self) -> ssl.SSLContext:
        """TLS 1.2 and up; the service's certificate must be by a trusted authority, and for its name.

        Raises:
            CertificateFileError: A file cannot be used.
        """
        file = self.service_certificate.authentication.certificate_authority_file
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(list(ALPN_PROTOCOLS))
        if file:
            content = _pem("certificateAuthorityFile", file, _CERTIFICATE, "certificate")
            _trust("certificateAuthorityFile", file, content, context)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self.client_certificate is not None:
            self.client_certificate.load_into(context)
        return context

    def under(self, folder: Path) -> "ClientCredentials":
        """The same, its relative paths joined to a folder: a configuration file's."""
        shown, asked = self.client_certificate, self.service_certificate
        if shown is not None:
            key_file = str(folder / shown.key_file) if shown.key_file else ""
            file = str(folder / shown.certificate_file)
            shown = attrs.evolve(shown, certificate_file=file, key_file=key_file)
        trusted = asked.authentication.certificate_authority_file
        if trusted:
            authentication = attrs.evolve(
                asked.authentication, certificate_authority_file=str(folder / trusted)
            )
            asked = attrs.evolve(asked, authentication=authentication)
        return attrs.evolve(self, client_certificate=shown, service_certificate=asked)


class _NoPasswordError(Exception):
    def __init__(self, setting: str, text: str) -> None:
        super().__init__(text)
        self.setting = setting


class _Password:
    """Answers OpenSSL, which would ask at the terminal otherwise."""

    def __init__(self, variable: str) -> None:
        self._variable = variable
        self.was_asked = False

    def __call__(self) -> str:
        self.was_asked = True
        if not self._variable:
            raise _NoPasswordError(
                "",
                "the key is encrypted: name the environment variable of its password in keyPasswordVariable",
            )
        password = os.environ.get(self._variable)
        if password is None:
            raise _NoPasswordError(
                "keyPasswordVariable", f"there is no environment variable {self._variable!r}"
            )
        return password


def _pem(setting: str, file: str, mark: re.Pattern[str], what: str) -> str:
    """The text of a PEM file that holds at least one ``what``."""
    try:
        with open(file, "rb") as stream:
            content = stream.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise CertificateFileError(setting, f"{file!r}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise CertificateFileError(setting, f"{file!r}: {error}") from None
    if len(content) > MAX_PEM_BYTES:
        raise CertificateFileError(setting, f"{file!r} has more than {MAX_PEM_BYTES} bytes")
    text = content.decode("ascii", "replace")
    if not mark.search(text):
        raise CertificateFileError(setting, f"{file!r} holds no {what} in PEM form")
    return text


def _trust(setting: str, file: str, content: str, context: ssl.SSLContext) -> None:
    """Load every certificate of a PEM file into a context's store; which also says whether they are any."""
    certificates: Callable[[str], list[str]] = re.compile(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL
    ).findall
    try:
        context.load_verify_locations(cadata="\n".join(certificates(content)))
    except (ssl.SSLError, ValueError) as error:
        raise CertificateFileError(setting, f"{file!r} cannot be used: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """OpenSSL's own short word for what is wrong."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
