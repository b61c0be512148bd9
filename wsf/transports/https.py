"""httpsTransport: what httpTransport is, over TLS. The certificate is a service's: ``serviceCredentials``."""

import ssl
from typing import ClassVar

from attrs import frozen

from wsf.credentials import ServiceCredentials
from wsf.errors import ContractError
from wsf.transports._http_settings import HttpTransportSettings, WebSocketSettings, WebSocketTransportUsage

__all__ = ("HttpsTransport", "WebSocketSettings", "WebSocketTransportUsage")


@frozen
class HttpsTransport(HttpTransportSettings):
    """WCF: HttpsTransportBindingElement. TLS 1.2 and up.

    Attributes:
        require_client_certificate: Only clients come in that show a certificate of an authority that
            ``serviceCredentials/clientCertificate`` names; it is checked before anything else of theirs.
    """

    scheme: ClassVar[str] = "https"
    default_port: ClassVar[int] = 443

    require_client_certificate: bool = False

    def server_context(self, credentials: ServiceCredentials) -> ssl.SSLContext:
        """See ``HttpTransportSettings``.

        Raises:
            ContractError: The service has no certificate.
            CertificateFileError: A PEM file is missing, or cannot be used.
        """
        if credentials.service_certificate is None:
            raise ContractError(
                "httpsTransport needs a certificate: name certificateFile and keyFile in "
                "serviceCredentials/serviceCertificate of the service's behavior"
            )
        return credentials.server_context(require_client_certificate=self.require_client_certificate)
