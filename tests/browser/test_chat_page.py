"""The chat page in a real Chromium, before the real host."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from .conftest import Host, Visitor

pytestmark = pytest.mark.browser

Visit = Callable[..., Visitor]
HERE = Path(__file__).parent
BLOG_PAGE = HERE / "blog_page.html"
DISCONNECTED = "Disconnected: retrying"
BACK_LIMIT = 45_000  # ms; the page waits 15 s at most between two tries


# ── Talking ─────────────────────────────────────────────────────────────────────────────────────


def test_two_people_talk_and_a_third_in_another_room_hears_nothing(visit: Visit) -> None:
    ann, ben, cleo = visit().connect(), visit().connect(), visit().connect()
    cleo.say("cleo", "garden", "Anyone here?")
    ben.say("ben", "kitchen", "Hungry.")
    ann.say("ann", "kitchen", "Soup?")
    expect(ben.said).to_have_text(["ann@kitchen said Soup?", "ben@kitchen said Hungry."])
    ben.say("ben", "kitchen", "Yes!")
    expect(ann.said).to_have_text(["ben@kitchen said Yes!", "ann@kitchen said Soup?"])
    # What reaches cleo next is of her own room, with nothing of the kitchen before it.
    ann.say("ann", "garden", "Me.")
    expect(cleo.said).to_have_text(["ann@garden said Me.", "cleo@garden said Anyone here?"])
    for person in (ann, ben, cleo):
        person.assert_clean()


def test_enter_sends_from_every_field_and_shift_enter_starts_a_line(visit: Visit) -> None:
    ann = visit().connect()
    for label in ("Nickname", "Room", "Message"):
        ann.write("ann", "hall", f"from {label}")
        ann.page.get_by_label(label).press("Enter")
        expect(ann.said.first).to_have_text(f"ann@hall said from {label}")
        expect(ann.message).to_have_value("")
        expect(ann.message).to_be_focused()
    ann.message.press_sequentially("one")
    ann.message.press("Shift+Enter")
    ann.message.press_sequentially("two")
    ann.message.press("Enter")
    expect(ann.said).to_have_count(4)
    assert ann.said.first.text_content() == "ann@hall said one\ntwo"


@pytest.mark.parametrize("markup", ["<img src=x onerror=alert(1)>", "<b>bold</b>"])
def test_markup_stays_text(visit: Visit, markup: str) -> None:
    ann, ben = visit().connect(), visit().connect()
    ben.say("ben", markup, "first")
    ann.say(markup, markup, markup)
    sentence = f"{markup}@{markup} said {markup}"
    for person in (ann, ben):
        expect(person.said.first).to_have_text(sentence)
        expect(person.rooms).to_have_text(f"{markup} joined")
        expect(person.page.locator("main :is(img, b)")).to_have_count(0)
        person.assert_clean()


def test_a_person_in_several_rooms_hears_them_all(visit: Visit) -> None:
    ann, ben = visit().connect(), visit().connect()
    ann.say("ann", "north", "one")
    ann.say("ann", "south", "two")
    expect(ann.rooms).to_have_text(["north joined", "south joined"])
    ben.say("ben", "north", "three")
    expect(ann.said.first).to_have_text("ben@north said three")
    expect(ben.rooms).to_have_text(["north joined"])
    ann.rooms.first.click()
    expect(ann.page.get_by_label("Room")).to_have_value("north")
    expect(ann.message).to_be_focused()


def test_right_to_left_words_keep_their_place(visit: Visit) -> None:
    ann = visit().connect()
    ann.say("נועה", "חדר", "שלום!")
    words = ann.said.first.locator(".words")
    assert words.evaluate("element => getComputedStyle(element).direction") == "rtl"
    assert ann.said.first.evaluate("element => getComputedStyle(element).direction") == "ltr"


def test_a_tab_out_of_sight_counts_what_it_heard(visit: Visit) -> None:
    ann, ben = visit().connect(), visit().connect()
    ann.say("ann", "hall", "hello")
    expect(ann.page).to_have_title("Chat")
    ann.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    ben.say("ben", "hall", "one")
    ben.say("ben", "hall", "two")
    expect(ann.page).to_have_title("(2) Chat")
    ann.page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(ann.page).to_have_title("Chat")


# ── What may be sent ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("label", ["Nickname", "Room", "Message"])
def test_an_empty_field_is_refused_by_the_browser_itself(visit: Visit, label: str) -> None:
    ann = visit().connect()
    for blank in ("", "   "):
        ann.write("ann", "hall", "hello")
        ann.page.get_by_label(label).fill(blank)
        ann.page.get_by_role("button", name="Send").click()
        assert ann.page.get_by_label(label).evaluate("field => field.validationMessage")
        expect(ann.page.get_by_label(label)).to_be_focused()
    ann.say("ann", "hall", "the first to arrive")
    expect(ann.said).to_have_count(1)


def test_a_message_may_be_as_long_as_the_host_takes_and_no_longer(visit: Visit) -> None:
    ann = visit().connect()
    around = len(json.dumps({"nickname": "ann", "room": "hall", "message": ""}, separators=(",", ":")))
    longest = 65_536 - around
    ann.write("ann", "hall", "é" + "x" * (longest - 1))
    expect(ann.hint).to_have_text("Too long by 1 byte: shorten it, or say it in parts.")
    ann.message.press("Enter")
    expect(ann.message).not_to_have_value("")
    ann.say("ann", "hall", "é" + "x" * (longest - 2))
    expect(ann.said).to_have_count(1)
    expect(ann.state).to_have_text("Connected")
    ann.assert_clean()


def test_nickname_and_room_are_remembered(visit: Visit) -> None:
    ann = visit().connect()
    ann.say("ann", "hall", "hello")
    ann.page.reload()
    expect(ann.page.get_by_label("Nickname")).to_have_value("ann")
    expect(ann.page.get_by_label("Room")).to_have_value("hall")
    expect(ann.message).to_be_focused()
    expect(ann.rooms).to_have_count(0)


@pytest.mark.parametrize(
    "storage",
    [
        'Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no") } })',
        'localStorage.setItem("wsf.chat", "{broken")',
        'localStorage.setItem("wsf.chat", "[1, {}]")',
    ],
)
def test_the_page_works_without_its_memory(visit: Visit, storage: str) -> None:
    ann = visit()
    ann.page.add_init_script(storage)
    ann.connect().say("ann", "hall", "hello")
    ann.assert_clean()


# ── Two tabs of one browser ─────────────────────────────────────────────────────────────────────


def test_a_second_tab_does_not_take_the_first_ones_nickname_unawares(
    host: Host, new_context: Callable[..., BrowserContext]
) -> None:
    profile = new_context()
    first, second = Visitor(profile, f"{host.origin}/"), Visitor(profile, f"{host.origin}/")
    first.connect().say("ann", "hall", "hello")
    second.connect()
    expect(second.hint).to_contain_text("Another tab goes by ann")
    expect(second.page.get_by_label("Nickname")).to_have_value("")
    expect(second.page.get_by_label("Room")).to_have_value("hall")
    # Who insists takes the place in the room, and the first tab says that it has lost it.
    second.say("ann", "hall", "It is me.")
    expect(first.rooms).to_have_text("hall left")
    expect(second.rooms).to_have_text("hall joined")
    expect(first.said).to_have_count(1)


# ── The connection ──────────────────────────────────────────────────────────────────────────────


def test_a_host_that_dies_and_returns(own_host: Host, visit: Visit) -> None:
    own_host.start()
    ann, ben = visit(own_host).connect(), visit(own_host).connect()
    ann.say("ann", "kitchen", "one")
    ann.say("ann", "garden", "two")
    ben.say("ben", "kitchen", "three")

    own_host.kill()
    expect(ann.state).to_have_text(DISCONNECTED)
    expect(ann.page.locator("#countdown")).to_have_text(re.compile(r"in \d+ s|now"))
    expect(ann.losses).to_contain_text("The connection was lost.")
    expect(ann.rooms).to_have_text(["kitchen left", "garden left"])
    expect(ann.page.get_by_role("button", name="Send")).to_have_attribute("aria-disabled", "true")
    ann.write("ann", "kitchen", "kept")
    ann.message.press("Enter")
    expect(ann.hint).to_have_text("Not connected. Your message stays here until it can be sent.")
    expect(ann.message).to_have_value("kept")

    own_host.start()
    for person in (ann, ben):
        expect(person.state).to_have_text("Connected", timeout=BACK_LIMIT)
    expect(ann.rooms).to_have_text(["kitchen left", "garden left"])
    expect(ann.notice).to_have_text(
        "You are no longer in kitchen and garden. Speak in a room to be back in it."
    )
    # It is as the page says: what ben says in the kitchen does not reach ann before she speaks there.
    ben.say("ben", "kitchen", "unheard by ann")
    ann.message.press("Enter")
    expect(ann.said.first).to_have_text("ann@kitchen said kept")
    expect(ann.said.nth(1)).to_have_text("ben@kitchen said three")
    expect(ann.rooms).to_have_text(["kitchen joined", "garden left"])
    expect(ann.notice).to_have_text("You are no longer in garden. Speak there to be back in it.")
    expect(ben.said.first).to_have_text("ann@kitchen said kept")
    ann.page.get_by_role("button", name="Forget").click()
    expect(ann.rooms).to_have_text(["kitchen joined"])
    expect(ann.notice).to_be_empty()
    # Chromium itself reports each try that failed, refused or reset; the page adds nothing to that.
    assert [said for said in ann.complaints if "WebSocket connection to" not in said] == []


def test_a_host_that_says_farewell(own_host: Host, visit: Visit) -> None:
    own_host.start()
    ann = visit(own_host).connect()
    own_host.stop()
    expect(ann.losses).to_contain_text("The host is going away")


def mock(
    visit: Visit,
    accept: Callable[[WebSocketRoute], object],
    *,
    frozen: bool = False,
    random: float | None = None,
) -> Visitor:
    """A page whose host is played by `accept`: for what a good host does not do, or not on demand."""
    ann = visit()
    if frozen:
        ann.page.clock.install(time=0)
        ann.page.clock.pause_at(1000)
    if random is not None:
        ann.page.add_init_script(f"Math.random = () => {random}")
    ann.page.route_web_socket("**/chatservice", accept)
    return ann.arrive()


def test_a_room_is_joined_only_when_its_echo_has_come(visit: Visit) -> None:
    held: list[str] = []
    lines: list[WebSocketRoute] = []

    def accept(line: WebSocketRoute) -> None:
        lines.append(line)
        line.on_message(lambda text: held.append(str(text)))

    ann = mock(visit, accept)
    expect(ann.state).to_have_text("Connected")
    ann.write("ann", "hall", "hello")
    ann.message.press("Enter")
    expect(ann.message).to_have_value("")
    lines[0].send('{"nickname":"ben","room":"hall","message":"not an echo"}')
    expect(ann.said).to_have_count(1)
    expect(ann.rooms).to_have_count(0)
    assert json.loads(held[0]) == {"nickname": "ann", "room": "hall", "message": "hello"}
    lines[0].send(held[0])
    expect(ann.rooms).to_have_text("hall joined")


def test_words_that_never_came_back_can_be_written_again(visit: Visit) -> None:
    ann = mock(visit, lambda line: line.on_message(lambda _: line.close(code=1011)))
    expect(ann.state).to_have_text("Connected")
    ann.write("ann", "hall", "into the void")
    ann.message.press("Enter")
    expect(ann.said.first).to_have_text("ann@hall perhaps said into the void")
    expect(ann.losses).to_contain_text("The host made a mistake")
    expect(ann.rooms).to_have_count(0)
    ann.write("ann", "cellar", "a draft")
    ann.page.get_by_role("button", name="Write again").click()
    expect(ann.message).to_have_value("into the void\na draft")
    expect(ann.page.get_by_label("Room")).to_have_value("hall")


def test_a_line_that_brings_no_echo_is_given_up(visit: Visit) -> None:
    ann = mock(visit, lambda line: line.on_message(lambda _: None), frozen=True)
    expect(ann.state).to_have_text("Connected")
    ann.write("ann", "hall", "hello?")
    ann.message.press("Enter")
    expect(ann.message).to_have_value("")
    ann.page.clock.run_for(15_000)
    expect(ann.losses).to_contain_text("The host does not answer")
    expect(ann.said.first).to_have_text("ann@hall perhaps said hello?")


def test_the_waits_grow_to_a_bound_and_end_at_once_when_the_network_is_back(visit: Visit) -> None:
    tries: list[WebSocketRoute] = []

    def refuse(line: WebSocketRoute) -> None:
        tries.append(line)
        line.close(code=1013)

    ann = mock(visit, refuse, frozen=True, random=0.999999)
    for number, seconds in enumerate((1, 1, 2, 4, 8, 15, 15), 1):
        expect(ann.page.locator("#countdown")).to_have_text(f"in {seconds} s")
        expect(ann.state).to_have_text(DISCONNECTED)
        assert len(tries) == number
        ann.page.clock.run_for(1000 * seconds)
    for number in (8, 9):  # the countdown says the same before a try and after it
        while len(tries) < number:
            ann.page.wait_for_timeout(10)
        expect(ann.state).to_have_text(DISCONNECTED)
        expect(ann.page.locator("#countdown")).to_have_text("in 15 s")
        assert len(tries) == number
        if number == 8:
            ann.page.evaluate("dispatchEvent(new Event('online'))")
    # However often the line came and went, the page says so once.
    expect(ann.losses).to_have_count(1)


def test_a_close_code_is_put_in_words_and_its_reason_is_text(visit: Visit) -> None:
    meanings = {
        1001: "The host is going away",
        1007: "The host refused what was sent",
        1009: "The message was too big for the host",
        1013: "The host is too busy, or this page too slow for it",
        4321: "The host closed the connection",
    }
    code = 1000
    # Where time stands still, only a reload brings the next connection.
    ann = mock(visit, lambda line: line.close(code=code, reason="<b>because</b>"), frozen=True)
    for code, meaning in meanings.items():  # noqa: B007 - the host's part reads it
        ann.page.reload()
        expect(ann.losses).to_contain_text(f"{meaning}: <b>because</b>.")


def test_what_is_no_chat_message_is_passed_over(visit: Visit) -> None:
    bad = ["", "no json", "null", "[]", "7", "{}", '{"nickname":"x","room":"y"}']
    bad += ['{"nickname":1,"room":"y","message":"z"}', '{"nickname":"x","room":"y","message":{"a":1}}']

    def accept(line: WebSocketRoute) -> None:
        for frame in [*bad, b"\x00\xff", b'{"nickname":"x","room":"y","message":"binary"}']:
            line.send(frame)
        line.send('{"nickname":"ben","room":"hall","message":"good","unknown":[1]}')

    ann = mock(visit, accept)
    expect(ann.said).to_have_text(["ben@hall said good"])
    expect(ann.state).to_have_text("Connected")
    ann.assert_clean()


def test_the_page_keeps_the_newest_500(visit: Visit) -> None:
    def accept(line: WebSocketRoute) -> None:
        for number in range(600):
            line.send(json.dumps({"nickname": "ben", "room": "hall", "message": f"{number}"}))

    ann = mock(visit, accept)
    expect(ann.said.first).to_have_text("ben@hall said 599")
    expect(ann.said).to_have_count(500)
    expect(ann.said.last).to_have_text("ben@hall said 100")


# ── Origins ─────────────────────────────────────────────────────────────────────────────────────


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A site on another port, thus of another origin, that has the blog's page."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=HERE)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def speak_on_the_blog_page(page: Page, site: str, port: int) -> None:
    page.goto(f"{site}/{BLOG_PAGE.name}?port={port}")
    page.get_by_label("Message").fill("from the blog")
    page.get_by_role("button", name="Send").click()


@pytest.mark.parametrize("from_disk", [True, False], ids=["disk", "elsewhere"])
def test_a_foreign_page_is_refused_unless_it_is_allowed(
    own_host: Host, visit: Visit, new_context: Callable[..., BrowserContext], elsewhere: str, from_disk: bool
) -> None:
    site, origin = (HERE.as_uri(), "null") if from_disk else (elsewhere, elsewhere)

    own_host.start()
    ann = visit(own_host).connect()
    ann.say("ann", "room", "hello")
    page = new_context().new_page()
    speak_on_the_blog_page(page, site, own_host.port)
    expect(page.get_by_role("status")).to_have_text("no connection")
    own_host.wait_for("refused", origin)
    ann.say("ann", "room", "still alone")
    expect(ann.said).to_have_count(2)
    own_host.stop()

    own_host.start("--allow-origin", origin)
    ann.page.evaluate("dispatchEvent(new Event('online'))")  # no need to wait for the next try
    expect(ann.state).to_have_text("Connected", timeout=BACK_LIMIT)
    ann.say("ann", "room", "back")
    speak_on_the_blog_page(page, site, own_host.port)
    expect(page.locator("#messages div")).to_have_text(["nickname@room said from the blog"])
    expect(ann.said.first).to_have_text("nickname@room said from the blog")
    ann.say("ann", "room", "welcome")
    expect(page.locator("#messages div").first).to_have_text("ann@room said welcome")


# ── How the page is served, and for whom ────────────────────────────────────────────────────────


def test_every_file_is_served_as_what_it_is(host: Host, new_context: Callable[..., BrowserContext]) -> None:
    kinds = {
        "": "text/html",
        "chat.css": "text/css",
        "chat.js": "text/javascript",
        "favicon.svg": "image/svg+xml",
    }
    request = new_context().request
    for path, kind in kinds.items():
        answer = request.get(f"{host.origin}/{path}")
        assert answer.status == 200
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert re.match(r"default-src '(none|self)';", policy)
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_the_watch_over_the_page_sees_a_violation(visit: Visit) -> None:
    ann = visit().connect()
    ann.assert_clean()
    ann.page.evaluate("document.body.setAttribute('style', 'color: red')")
    ann.page.evaluate("null")
    assert any("CSP" in complaint for complaint in ann.complaints)


def test_a_keyboard_is_enough_and_everything_has_a_name(visit: Visit) -> None:
    ann = visit().connect()
    nameless = "[...document.querySelectorAll('input, textarea')].filter(f => !f.labels.length).length"
    assert ann.page.evaluate(nameless) == 0
    expect(ann.page.get_by_role("log")).to_have_attribute("aria-live", "polite")
    expect(ann.state).to_have_text("Connected")
    expect(ann.page.get_by_role("heading", name="Nobody has said anything yet")).to_be_visible()

    keyboard = ann.page.keyboard
    expect(ann.page.get_by_label("Nickname")).to_be_focused()
    keyboard.type("ann")
    keyboard.press("Tab")
    keyboard.type("hall")
    keyboard.press("Tab")
    keyboard.type("hello")
    keyboard.press("Tab")
    expect(ann.page.get_by_role("button", name="Send")).to_be_focused()
    keyboard.press("Space")
    expect(ann.said).to_have_text(["ann@hall said hello"])
    expect(ann.page.get_by_role("heading", name="Nobody has said anything yet")).to_be_hidden()
    keyboard.press("Tab")
    keyboard.press("Tab")
    expect(ann.rooms.first).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert ann.page.evaluate(outline) == "solid"


def test_pictures_of_the_page(visit: Visit, artifacts: Path) -> None:
    ann, ben = visit().connect(), visit().connect()
    ann.say("ann", "kitchen", "Is the kettle on?")
    ben.say("ben", "kitchen", "It sings already.")
    ann.say("ann", "garden", "The first tomatoes are red.")
    ann.say("ann", "kitchen", "https://example.org/" + "a-path-without-an-end" * 9)
    sizes = {"desktop": (1280, 800), "phone": (390, 844), "narrow": (320, 640)}
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for scheme in ("light", "dark"):
        ann.page.emulate_media(color_scheme=scheme)
        for name, (width, height) in sizes.items():
            ann.page.set_viewport_size({"width": width, "height": height})
            assert ann.page.evaluate(overflow) == 0
            ann.page.screenshot(path=artifacts / f"chat-{name}-{scheme}.png")
    ann.assert_clean()
