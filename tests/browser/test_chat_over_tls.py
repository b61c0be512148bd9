"""The chat page in a real Chromium, over https and wss, from configuration alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.certificates import Certificates

from .conftest import Host, Visitor

pytestmark = pytest.mark.browser


@pytest.fixture
def secure_host(tmp_path: Path) -> Iterator[Host]:
    """The host of ``config/app-https.yaml``, with a certificate that nobody knows but this test."""
    made = Certificates(tmp_path)
    for file in (made.certificate_file, made.key_file):
        assert file.name in {"service.pem", "service.key"}
    host = Host(tmp_path, "app-https.yaml", "https://localhost:8443")
    host.start()
    yield host
    host.stop()


def test_two_people_talk_over_wss(secure_host: Host, new_context: Callable[..., BrowserContext]) -> None:
    people = [Visitor(new_context(ignore_https_errors=True), f"{secure_host.origin}/") for _ in range(2)]
    ann, ben = people
    sockets: list[str] = []
    ann.page.on("websocket", lambda opened: sockets.append(opened.url))
    ann.connect()
    ben.connect()
    ben.say("ben", "kitchen", "Hungry.")
    ann.say("ann", "kitchen", "Soup?")
    expect(ben.said).to_have_text(["ann@kitchen said Soup?", "ben@kitchen said Hungry."])
    assert sockets == [f"wss://localhost:{secure_host.port}/chatservice"]
    assert ann.page.evaluate("isSecureContext")
    for person in people:
        person.assert_clean()
