"""The chat host as a process, and people with browsers who visit it."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, expect, sync_playwright

from tests.conftest import require_tool
from tests.serving import free_port

ROOT = Path(__file__).parents[2]
LINE_LIMIT = 40  # seconds
STOP_LIMIT = 30  # seconds
CHROMIUM_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REPORT_CSP = """
addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
  console.error(`CSP: ${violatedDirective} ${blockedURI}`))
"""


expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong


class Host:
    """`python -m wsf.host` on its own port; may be killed, and started again on the same one."""

    def __init__(self, folder: Path, name: str = "app.yaml", address: str = "http://localhost:8004") -> None:
        self.port = free_port()
        self.origin = address.rpartition(":")[0] + f":{self.port}"
        self.config = folder / f"app-{self.port}.yaml"
        text = (ROOT / "config" / name).read_text("utf-8")
        assert address in text
        self.config.write_text(text.replace(address, self.origin), "utf-8")
        self.lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        self.lines.clear()
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wsf.host", str(self.config), *options],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        self.wait_for(f"localhost:{self.port}/")

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        with process.stdout:
            for line in process.stdout:
                self._tell(line.rstrip())
        self._tell(None)

    def _tell(self, line: str | None) -> None:
        with self._news:
            self._ended = line is None
            if line is not None:
                self.lines.append(line)
            self._news.notify_all()

    def wait_for(self, *parts: str) -> None:
        """Until the host has printed a line that contains all of `parts`."""

        def printed() -> bool:
            return any(all(part in line for part in parts) for line in self.lines)

        with self._news:
            self._news.wait_for(lambda: printed() or self._ended, LINE_LIMIT)
            assert printed(), f"the host did not print {parts}, but:\n" + "\n".join(self.lines)

    def kill(self) -> None:
        """No farewell: as if the machine had lost its power."""
        self._end(lambda process: process.kill())

    def stop(self) -> None:
        self._end(lambda process: process.terminate())

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail("the host did not stop:\n" + "\n".join(self.lines))
        finally:
            self._reader.join(STOP_LIMIT)


class Visitor:
    """A person at a page: what they do and see, and what their browser complained of meanwhile."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.reached: set[str] = set()
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.reached.add(urlsplit(request.url).netloc))
        self.page.on("websocket", lambda opened: self.reached.add(urlsplit(opened.url).netloc))
        self.address = address

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def arrive(self) -> "Visitor":
        self.page.goto(self.address)
        return self

    def connect(self) -> "Visitor":
        self.arrive()
        expect(self.state).to_have_text("Connected")
        return self

    def write(self, nickname: str, room: str, message: str) -> None:
        self.page.get_by_label("Nickname").fill(nickname)
        self.page.get_by_label("Room").fill(room)
        self.message.fill(message)

    def say(self, nickname: str, room: str, message: str) -> None:
        """Says it, and hears it come back."""
        self.write(nickname, room, message)
        self.page.get_by_role("button", name="Send").click()
        expect(self.said.first).to_have_text(f"{nickname}@{room} said {message}")

    @property
    def state(self) -> Locator:
        return self.page.get_by_role("status")

    @property
    def message(self) -> Locator:
        return self.page.get_by_label("Message")

    @property
    def hint(self) -> Locator:
        return self.page.locator("#hint")

    @property
    def notice(self) -> Locator:
        return self.page.locator("#notice")

    @property
    def said(self) -> Locator:
        return self.page.get_by_role("log").locator("li:not(.loss) p")

    @property
    def losses(self) -> Locator:
        return self.page.get_by_role("log").locator("li.loss p")

    @property
    def rooms(self) -> Locator:
        return self.page.locator("#rooms button")

    def assert_clean(self) -> None:
        self.page.evaluate("null")  # a round trip: what was reported before it has arrived
        assert self.complaints == []
        assert self.reached <= {urlsplit(self.address).netloc}


def find_chromium() -> str | None:
    """The browser to drive: WSF_CHROMIUM, or what is on the path."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("WSF_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = require_tool("chromium", find_chromium(), why_not="none on the path, and none in WSF_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that all tests share: nobody may stop it."""
    shared = Host(tmp_path_factory.mktemp("host"))
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def own_host(tmp_path: Path) -> Iterator[Host]:
    """A host of this test alone, not started yet."""
    own = Host(tmp_path)
    yield own
    own.stop()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser profiles that share nothing with one another."""
    contexts: list[BrowserContext] = []

    def make(**options: object) -> BrowserContext:
        context = chromium.new_context(**{"reduced_motion": "reduce", "locale": "en-GB", **options})
        context.add_init_script(REPORT_CSP)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def visit(host: Host, new_context: Callable[..., BrowserContext]) -> Callable[..., Visitor]:
    """Lets somebody with a browser of their own come to the chat page of the shared host."""

    def visitor(at: Host = host, **options: object) -> Visitor:
        return Visitor(new_context(**options), f"{at.origin}/")

    return visitor


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go that outlive the test run."""
    folder = Path(os.environ.get("WSF_ARTIFACTS") or tmp_path_factory.mktemp("artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
