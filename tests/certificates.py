"""An authority for the length of a test run, and what it signs: PEM files, and TLS contexts for clients."""

import ssl
from pathlib import Path

import trustme

from wsf.credentials import (
    ClientCertificate,
    ClientCertificateAuthentication,
    ServiceCertificate,
    ServiceCredentials,
)

__all__ = ("NAMES", "Certificates")

#: what the service's certificate is for
NAMES = ("localhost", "127.0.0.1", "::1")


class Certificates:
    """An authority, a service's certificate with its key, and clients'."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority_file = folder / "authority.pem"
        self.authority.cert_pem.write_to_path(self.authority_file)
        self.certificate_file, self.key_file = folder / "service.pem", folder / "service.key"
        issued = self.authority.issue_cert(*NAMES)
        issued.private_key_pem.write_to_path(self.key_file)
        self.certificate_file.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    def credentials(self, *, asks_clients: bool = False) -> ServiceCredentials:
        """What a host is given."""
        file = str(self.authority_file) if asks_clients else ""
        return ServiceCredentials(
            service_certificate=ServiceCertificate(str(self.certificate_file), str(self.key_file)),
            client_certificate=ClientCertificate(ClientCertificateAuthentication(file)),
        )

    def client(self, common_name: str = "", authority: trustme.CA | None = None) -> ssl.SSLContext:
        """A client that trusts the authority; with a name, it shows a certificate."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if common_name:
            issued = (authority or self.authority).issue_cert(
                f"{common_name}@example", common_name=common_name
            )
            issued.configure_cert(context)
        return context
