"""PEM files: what can be used, and what is said of the rest. Nothing here listens."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.certificates import Certificates
from wsf.configuration import load
from wsf.credentials import CertificateFileError, ServiceCertificate, ServiceCredentials
from wsf.errors import ConfigurationError

PASSWORD = "canary-password"
VARIABLE = "WSF_TEST_KEY_PASSWORD"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    key = load_pem_private_key(made.key_file.read_bytes(), None)
    encrypted = BestAvailableEncryption(PASSWORD.encode())
    (made.folder / "encrypted.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted)
    )
    both = made.certificate_file.read_bytes() + made.key_file.read_bytes()
    (made.folder / "both.pem").write_bytes(both)
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(made.folder / "another.key")
    (made.folder / "words.pem").write_text("no certificate")
    for what in ("CERTIFICATE", "PRIVATE KEY"):
        damaged = f"-----BEGIN {what}-----\nAAAA\n-----END {what}-----\n"
        (made.folder / f"damaged {what}.pem").write_text(damaged)
    (made.folder / "huge.pem").write_bytes(both + b"\n" * 1024 * 1024)
    return made


def context_of(certificate: ServiceCertificate) -> ssl.SSLContext:
    return ServiceCredentials(certificate).server_context(require_client_certificate=False)


def test_a_context_is_tls_1_2_and_up_and_gives_no_tickets(certificates: Certificates) -> None:
    context = certificates.credentials().server_context(require_client_certificate=False)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.num_tickets == 0
    assert ssl.OP_NO_TICKET in context.options
    assert context.verify_mode is ssl.CERT_NONE


def test_clients_are_asked_only_where_they_must_show_something(certificates: Certificates) -> None:
    credentials = certificates.credentials(asks_clients=True)
    assert credentials.server_context(require_client_certificate=True).verify_mode is ssl.CERT_REQUIRED
    assert credentials.server_context(require_client_certificate=False).verify_mode is ssl.CERT_NONE


def test_certificate_and_key_may_stand_in_one_file(certificates: Certificates) -> None:
    context_of(ServiceCertificate(str(certificates.folder / "both.pem")))


def test_an_encrypted_key_is_opened_by_the_environment(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, PASSWORD)
    key = str(certificates.folder / "encrypted.key")
    certificate = ServiceCertificate(str(certificates.certificate_file), key, VARIABLE)
    context_of(certificate)
    assert PASSWORD not in repr(certificate)


NOT_USABLE = [
    (("none.pem", "service.key"), None, "certificateFile", "No such file or directory"),
    ((".", "service.key"), None, "certificateFile", "Is a directory"),
    (("a\0b", "service.key"), None, "certificateFile", "null byte"),
    (("words.pem", "service.key"), None, "certificateFile", "holds no certificate in PEM form"),
    (("service.key", "service.key"), None, "certificateFile", "holds no certificate in PEM form"),
    (("damaged CERTIFICATE.pem", "service.key"), None, "certificateFile", "cannot be used"),
    (("huge.pem", "service.key"), None, "certificateFile", "has more than 1048576 bytes"),
    (("service.pem", "none.key"), None, "keyFile", "No such file or directory"),
    (("service.pem", "service.pem"), None, "keyFile", "holds no private key in PEM form"),
    (("service.pem",), None, "certificateFile", "holds no private key in PEM form"),
    (("service.pem", "damaged PRIVATE KEY.pem"), None, "keyFile", "cannot be used"),
    (("service.pem", "another.key"), None, "keyFile", "is not the key of the certificate"),
    (("service.pem", "encrypted.key"), None, "keyFile", "the key is encrypted: name"),
    (("service.pem", "encrypted.key", VARIABLE), None, "keyPasswordVariable", "no environment variable"),
    (("service.pem", "encrypted.key", VARIABLE), "wrong", "keyPasswordVariable", "does not open"),
]  # fmt: skip


@pytest.mark.parametrize(("files", "password", "setting", "words"), NOT_USABLE)
def test_a_file_that_cannot_be_used_is_one_line_about_the_setting_that_names_it(
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    *,
    files: tuple[str, ...],
    password: str | None,
    setting: str,
    words: str,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if password is not None:
        monkeypatch.setenv(VARIABLE, password)
    monkeypatch.chdir(certificates.folder)
    with pytest.raises(CertificateFileError) as refused:
        context_of(ServiceCertificate(*files))
    assert refused.value.setting == setting
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert password is None or password not in str(refused.value)


SERVICE = """\
services:
  - name: S
    endpoints: [{address: "SCHEME://localhost:1/s", binding: customBinding, contract: C}]
bindings:
  customBinding:
    - byteStreamMessageEncoding: {}
      SCHEMETransport: {ASKS}
behaviors:
  serviceBehaviors:
    - serviceCredentials:
        serviceCertificate: SHOWN
        clientCertificate: {authentication: {ASKED}}
"""


@pytest.fixture
def write(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a file beside the certificates, and gives its name, as seen from the folder above."""
    monkeypatch.chdir(certificates.folder.parent)

    def write(
        shown: str = "{certificateFile: service.pem, keyFile: service.key}",
        scheme: str = "https",
        asks: str = "",
        asked: str = "",
    ) -> str:
        text = SERVICE.replace("SCHEME", scheme).replace("SHOWN", shown)
        file = certificates.folder / "app.yaml"
        file.write_text(text.replace("ASKS", asks).replace("ASKED", asked))
        return f"{certificates.folder.name}/app.yaml"

    return write


def mistakes(file: str) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(file, check_only=True)
    return [line.removeprefix(f"{file}:") for line in refused.value.problems]


def test_the_files_stand_beside_the_configuration_file(write: Callable[..., str]) -> None:
    configuration = load(write(), check_only=True)
    assert configuration.warnings == ()
    certificate = configuration.services[0].behavior.service_credentials.service_certificate
    assert certificate is not None
    assert Path(certificate.certificate_file).parent == Path(configuration.file).parent


def test_check_finds_a_file_that_cannot_be_used_and_says_where_it_is_named(write: Callable[..., str]) -> None:
    (line,) = mistakes(write("{certificateFile: service.pem, keyFile: another.key}"))
    assert line.startswith("11:69: keyFile: ")
    assert line.endswith("another.key' is not the key of the certificate")
    (line,) = mistakes(write("{certificateFile: service.pem}"))
    assert line.startswith("11:47: certificateFile: ")
    (line,) = mistakes(
        write(asks="requireClientCertificate: true", asked="certificateAuthorityFile: none.pem")
    )
    assert line.startswith("12:72: certificateAuthorityFile: ")


def test_what_a_transport_needs_and_the_behavior_does_not_name_is_said_at_the_endpoint(
    write: Callable[..., str],
) -> None:
    file = write()
    Path(file).write_text(Path(file).read_text().partition("behaviors:")[0])
    (line,) = mistakes(file)
    assert line.startswith("3:61: binding: httpsTransport needs a certificate: ")
    (line,) = mistakes(write(asks="requireClientCertificate: true"))
    assert line.startswith("3:61: binding: requireClientCertificate needs to know whose: ")


@pytest.mark.parametrize(
    "store",
    [
        "findValue: localhost",
        "x509FindType: FindBySubjectName",
        "storeLocation: CurrentUser",
        "storeName: Root",
    ],
)
def test_the_windows_store_is_one_line_with_the_remedy(write: Callable[..., str], store: str) -> None:
    key = store.partition(":")[0]
    (line,) = mistakes(write(f"{{{store}}}"))
    assert line.startswith(f"11:{32 + len(key)}: {key}: there is no Windows certificate store: export ")
    assert line.endswith("certificateFile and keyFile")


def test_the_files_instead_of_a_store_are_missed_by_name(write: Callable[..., str]) -> None:
    (line,) = mistakes(write("{storeName: My}"))
    assert "certificateFile is missing" in line


def test_a_certificate_that_nobody_will_see_is_warned_about(write: Callable[..., str]) -> None:
    file = write(scheme="http")
    (line,) = load(file).warnings
    why = "no endpoint with this behavior is over httpsTransport"
    assert line == f"{file}:11:9: serviceCertificate has no effect: {why}"


def test_an_authority_that_nobody_is_asked_for_is_warned_about(write: Callable[..., str]) -> None:
    file = write(asked="certificateAuthorityFile: authority.pem")
    (line,) = load(file).warnings
    why = "no httpsTransport has requireClientCertificate"
    assert line == f"{file}:12:46: certificateAuthorityFile has no effect: {why}"


def test_revocation_is_not_promised(write: Callable[..., str]) -> None:
    (line,) = mistakes(write(asked="revocationMode: Online"))
    assert "revocationMode: 'Online' is refused" in line


TLS_VARIANT = """\
<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.serviceModel>
    <bindings>
      <customBinding>
        <binding name="webSocketHttpsBinding">
          <byteStreamMessageEncoding/>
          <httpsTransport>
            <webSocketSettings transportUsage="Always" createNotificationOnConnection="true"/>
          </httpsTransport>
        </binding>
      </customBinding>
    </bindings>
    <behaviors>
      <serviceBehaviors>
        <behavior name="customBehavior">
          <serviceCredentials>
            <serviceCertificate findValue="localhost" x509FindType="FindBySubjectName"
                                storeLocation="LocalMachine" storeName="My"/>
          </serviceCredentials>
        </behavior>
      </serviceBehaviors>
    </behaviors>
    <services>
      <service name="S" behaviorConfiguration="customBehavior">
        <endpoint address="https://localhost:8088" binding="customBinding"
                  bindingConfiguration="webSocketHttpsBinding" contract="C"/>
      </service>
    </services>
  </system.serviceModel>
</configuration>
"""


def test_a_wcf_file_with_the_store_loads_once_its_attributes_are_files(certificates: Certificates) -> None:
    file = certificates.folder / "App.config"
    file.write_text(TLS_VARIANT)
    assert mistakes(str(file)) == [
        "18:43: findValue: there is no Windows certificate store: export the certificate and its key as PEM "
        "files, and name them in certificateFile and keyFile"
    ]
    start, end = TLS_VARIANT.index("findValue"), TLS_VARIANT.index("/>\n          </serviceCredentials>")
    files = 'certificateFile="service.pem" keyFile="service.key"'
    file.write_text(TLS_VARIANT[:start] + files + TLS_VARIANT[end:])
    configuration = load(file)
    assert configuration.warnings == ()
    assert configuration.services[0].endpoints[0].binding.transport.scheme == "https"
