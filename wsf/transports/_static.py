"""The page beside the endpoints: files of a package, read once, with the headers that keep them harmless.

Only files that were found when the host was built can be asked for: a path of a peer's opens nothing.
"""

import hashlib
import mimetypes
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web

from wsf.errors import ConfigurationError
from wsf.transports._upgrade import SERVER, text_response

__all__ = ("StaticFile", "static_files")

#: what a page may do: only what comes from its own site, in no frame, without inline code
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_STATIC_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
    "Server": SERVER,
}


class StaticFile:
    """A file of the page, kept in memory, with the headers that keep the page harmless."""

    def __init__(self, content: bytes, content_type: str) -> None:
        self._content = content
        self._etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        self._headers = {**_STATIC_HEADERS, "ETag": self._etag, "Content-Type": content_type}

    def response(self, request: web.BaseRequest) -> web.Response:
        """The file, or what HTTP says instead."""
        if request.method not in ("GET", "HEAD"):
            return text_response(405, "this is a page", {"Allow": "GET, HEAD"})
        if request.headers.get("If-None-Match") == self._etag:
            return web.Response(status=304, headers=self._headers)
        return web.Response(body=self._content, headers=self._headers)


def static_files(source: str) -> Iterator[tuple[str, bytes, str]]:
    """Path, content and content type of each file of ``package:folder``: nothing else can be asked for.

    Raises:
        ConfigurationError: There is no such folder, or no index.html in it.
    """
    package, _, folder = source.partition(":")
    try:
        root = resources.files(package).joinpath(folder)
        files = dict(_walk(root, "/"))
    except (ModuleNotFoundError, NotADirectoryError, FileNotFoundError, TypeError):
        raise ConfigurationError(
            f"staticContent: there is no folder {source!r}: write package:folder"
        ) from None
    if "/index.html" not in files:
        raise ConfigurationError(f"staticContent: {source!r} holds no index.html")
    files["/"] = files["/index.html"]
    for path, file in files.items():
        guessed = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if guessed.startswith(("text/", "application/javascript")) else ""
        yield path, file.read_bytes(), guessed + charset


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.startswith((".", "__")):
            continue
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry
