"""Laws of the way in: who is refused before the 101, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from wsf.transports._handshake import (
    Refusal,
    check_host,
    check_upgrade,
    negotiate_sub_protocol,
    quoted,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def headers(*more: tuple[str, str], **replaced: str | None) -> CIMultiDict[str]:
    """A good handshake's headers, some replaced (None: left out), some added."""
    good: dict[str, str | None] = {
        "Host": "localhost:8004",
        "Upgrade": "websocket",
        "Connection": "keep-alive, Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    good |= {name.replace("_", "-"): value for name, value in replaced.items()}
    return CIMultiDict([*((name, value) for name, value in good.items() if value is not None), *more])


def status(result: str | Refusal | None) -> int:
    """101, or the refusal's status."""
    return result.status if isinstance(result, Refusal) else 101


class TestHost:
    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8004", "[::1]:8004", "localhost."]
    )
    @pytest.mark.parametrize("endpoint", ["localhost", "127.0.0.1", "[::1]"])
    def test_loopback_names_are_one(self, host: str, endpoint: str) -> None:
        assert check_host(headers(Host=host), endpoint, ()) is None

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "192.168.0.1", "", "a/b", "u@localhost"]
    )
    def test_a_name_that_is_not_the_endpoints_is_refused(self, host: str) -> None:
        assert status(check_host(headers(Host=host), "localhost", ())) == 421

    def test_a_request_names_one_host(self) -> None:
        assert status(check_host(headers(Host=None), "localhost", ())) == 421
        assert status(check_host(headers(("Host", "localhost")), "localhost", ())) == 421

    def test_allowed_hosts_are_answered(self) -> None:
        assert check_host(headers(Host="Chat.Example:80"), "localhost", ("chat.example",)) is None

    @pytest.mark.parametrize("endpoint", ["+", "*"])
    @pytest.mark.parametrize(
        ("host", "expected"),
        [("10.0.0.7:80", 101), ("[fe80::1]", 101), ("localhost", 101), ("rebound.example", 421)],
    )
    def test_every_interface_is_named_by_addresses_but_not_by_names(
        self, endpoint: str, host: str, expected: int
    ) -> None:
        assert status(check_host(headers(Host=host), endpoint, ())) == expected

    def test_the_log_says_what_to_add(self) -> None:
        refusal = check_host(headers(Host="chat.example"), "localhost", ())
        assert refusal is not None
        assert "'chat.example'" in refusal.remedy
        assert "allowedHosts" in refusal.remedy
        assert "chat.example" not in refusal.text


class TestOrigin:
    @pytest.mark.parametrize(
        ("origin", "host", "expected"),
        [
            ("http://localhost:8004", "localhost:8004", 101),
            ("https://localhost:8004", "localhost:8004", 101),  # TLS may end at a proxy
            ("http://LOCALHOST:8004", "localhost:8004", 101),
            ("http://localhost", "localhost:80", 101),
            ("https://chat.example", "chat.example", 101),
            ("http://localhost:8005", "localhost:8004", 403),
            ("http://localhost", "localhost:8004", 403),
            ("http://evil.example", "localhost:8004", 403),
            ("http://localhost:8004.evil.example", "localhost:8004", 403),
            ("http://evil.localhost:8004", "localhost:8004", 403),
            ("null", "localhost:8004", 403),
            ("", "localhost:8004", 403),
            ("localhost:8004", "localhost:8004", 403),
            ("http://localhost:8004/path", "localhost:8004", 403),
            ("http://user@localhost:8004", "localhost:8004", 403),
            ("http://localhost:x", "localhost:8004", 403),
        ],
    )
    def test_host_and_port_must_agree(self, origin: str, host: str, expected: int) -> None:
        assert status(check_upgrade("GET", headers(Host=host, Origin=origin), ())) == expected

    @pytest.mark.parametrize(
        ("origin", "host", "expected"),
        [
            ("https://localhost:8004", "localhost:8004", 101),
            ("https://chat.example", "chat.example", 101),
            ("https://chat.example", "chat.example:443", 101),
            ("https://chat.example:443", "chat.example", 101),
            ("http://chat.example", "chat.example", 403),  # a page that anybody on its way may have written
            ("http://localhost:8004", "localhost:8004", 403),
            ("https://chat.example:8443", "chat.example", 403),
        ],
    )
    def test_where_tls_ends_here_a_page_that_came_without_is_of_another_site(
        self, origin: str, host: str, expected: int
    ) -> None:
        asked = headers(Host=host, Origin=origin)
        assert status(check_upgrade("GET", asked, (), "https")) == expected
        assert status(check_upgrade("GET", asked, (origin,), "https")) == 101

    def test_programs_send_none(self) -> None:
        assert check_upgrade("GET", headers(), ()) is None

    def test_two_origins_are_none(self) -> None:
        doubled = headers(("Origin", "http://localhost:8004"), Origin="http://localhost:8004")
        assert status(check_upgrade("GET", doubled, ())) == 403

    @pytest.mark.parametrize(
        ("allowed", "origin", "expected"),
        [
            ("null", "null", 101),
            ("https://app.example", "https://app.example", 101),
            ("https://app.example", "https://app.example:443", 101),
            ("https://app.example", "http://app.example", 403),
            ("https://app.example", "https://app.example:8443", 403),
            ("https://app.example", "https://app.example.evil", 403),
            ("https://app.example", "null", 403),
            ("null", "http://evil.example", 403),
            ("garbage", "other garbage", 403),
            ("*", "http://any.example", 101),
        ],
    )
    def test_others_only_by_allowed_origins_and_exactly(
        self, allowed: str, origin: str, expected: int
    ) -> None:
        assert status(check_upgrade("GET", headers(Origin=origin), (allowed,))) == expected

    def test_the_log_says_what_to_add(self) -> None:
        refusal = check_upgrade("GET", headers(Origin="http://evil.example"), ())
        assert refusal is not None
        assert "allowedOrigins" in refusal.remedy
        assert "evil" not in refusal.text


class TestUpgrade:
    @pytest.mark.parametrize(
        ("replaced", "expected"),
        [
            ({"Upgrade": None}, 400),
            ({"Upgrade": "h2c"}, 400),
            ({"Connection": "close"}, 400),
            ({"Sec_WebSocket_Version": None}, 426),
            ({"Sec_WebSocket_Version": "8"}, 426),
            ({"Sec_WebSocket_Key": None}, 400),
            ({"Sec_WebSocket_Key": "short"}, 400),
            ({"Sec_WebSocket_Key": "not base64 at all!"}, 400),
        ],
    )
    def test_what_is_no_handshake_is_refused(self, replaced: dict[str, str | None], expected: int) -> None:
        assert status(check_upgrade("GET", headers(**replaced), ())) == expected

    def test_only_get_upgrades(self) -> None:
        assert status(check_upgrade("POST", headers(), ())) == 400

    def test_the_version_that_would_do_is_told(self) -> None:
        refusal = check_upgrade("GET", headers(Sec_WebSocket_Version="12"), ())
        assert refusal is not None
        assert refusal.headers == {"Sec-WebSocket-Version": "13"}


class TestSubProtocol:
    @pytest.mark.parametrize(
        ("required", "offered", "expected"),
        [
            (None, None, None),
            (None, "chat", 426),
            ("chat", None, 426),
            ("chat", "other", 426),
            ("chat", "chat", "chat"),
            ("chat", "other, CHAT", "CHAT"),
            ("chat", "ch at", 400),
            ("chat", "chat,", 400),
        ],
    )
    def test_the_rules_are_wcfs(
        self, required: str | None, offered: str | None, expected: str | int | None
    ) -> None:
        result = negotiate_sub_protocol(headers(Sec_WebSocket_Protocol=offered), required)
        assert (result.status if isinstance(result, Refusal) else result) == expected

    def test_what_is_required_is_told(self) -> None:
        refusal = negotiate_sub_protocol(headers(), "chat")
        assert isinstance(refusal, Refusal)
        assert refusal.headers == {"Sec-WebSocket-Protocol": "chat"}


@given(st.text())
def test_a_peers_text_is_one_bounded_printable_line(text: str) -> None:
    shown = quoted(text)
    assert shown.isprintable()
    assert shown.isascii()
    assert len(shown) < 1400


@given(st.text(), st.text())
def test_no_header_breaks_the_checks(host: str, origin: str) -> None:
    given_headers = CIMultiDict({"Host": host, "Origin": origin, "Sec-WebSocket-Protocol": origin})
    check_host(given_headers, "localhost", ())
    check_upgrade("GET", CIMultiDict([*headers().items(), ("Origin", origin)]), ("https://a.example",))
    negotiate_sub_protocol(given_headers, "chat")
