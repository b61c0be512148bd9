"""The wire's tests run over TCP and, where they say so, over TLS."""

import pytest

import tests.serving
from tests.certificates import Certificates


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["http", "https"])
def each_scheme(
    request: pytest.FixtureRequest, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> str:
    """What ``tests.serving`` serves and connects to, it does over this scheme."""
    if request.param == "https":
        monkeypatch.setattr(tests.serving, "secure", certificates)
    return str(request.param)
