"""The chat page in a real Chromium, with permessage-deflate switched on in the configuration."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from .conftest import Host, Visitor

pytestmark = pytest.mark.browser

#: what Chromium agreed to, asked for in the page
AGREED = """() => new Promise((tell, fail) => {
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/chatservice")
  socket.onopen = () => { tell(socket.extensions); socket.close() }
  socket.onerror = fail
})"""


def test_two_people_talk_compressed(own_host: Host, new_context: Callable[..., BrowserContext]) -> None:
    settings = "transportUsage: Always,"
    text = own_host.config.read_text("utf-8")
    assert settings in text
    own_host.config.write_text(text.replace(settings, f"{settings} permessageDeflate: true,"), "utf-8")
    own_host.start()
    ann, ben = (Visitor(new_context(), f"{own_host.origin}/").connect() for _ in range(2))
    story = "and then she said, and then he said, " * 20 + "the end"
    ann.say("ann", "kitchen", "Short.")
    ben.say("ben", "kitchen", story)
    ben.say("ben", "kitchen", f"Once more: {story}")
    expect(ann.said).to_have_text(
        [f"ben@kitchen said Once more: {story}", f"ben@kitchen said {story}", "ann@kitchen said Short."]
    )
    agreed = ann.page.evaluate(AGREED)
    assert agreed == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    for person in (ann, ben):
        person.assert_clean()
