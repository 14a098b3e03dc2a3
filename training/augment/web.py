"""Fetches pages politely: robots.txt honoured, one request a host at a time and not too soon, kept on disk.

A redirect to another host is not followed: that host's owner has not been asked, and a list of addresses must not lead
to machines nobody listed. The person who lists the addresses answers for the right to use the pages; their licence,
where they state one, is kept with every passage.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from data.errors import InputError
from data.tables import read_text
from data.writers import write_atomically
from training.augment.documents import Documents, Unreadable, main_text, split_passages
from training.augment.passages import Passage

if TYPE_CHECKING:
    import httpx

USER_AGENT = "dobae-augment/0.1"
MAX_BYTES = 5_000_000
_REDIRECTS = 5
_TIMEOUT = 20.0
_LONGEST_DELAY = 60.0


@dataclass(frozen=True, slots=True)
class Page:
    """A fetched page.

    Attributes:
        url: The address asked for.
        final_url: The address it was found at.
        fetched: When, UTC.
        html: Its content.
    """

    url: str
    final_url: str
    fetched: str
    html: str


def read_urls(path: Path) -> list[str]:
    """Reads addresses, one a line; lines that begin with # are comments.

    Raises:
        InputError: A line is not an http or https address, or there is none.
    """
    urls: dict[str, None] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InputError(f"{path}, line {number}: {url[:80]!r} is not an http or https address")
        urls[url] = None
    if not urls:
        raise InputError(f"{path}: holds no address; write one a line")
    return list(urls)


def read_pages(
    urls: Sequence[str], fetcher: "Fetcher", progress: Callable[[int, int], None] | None = None
) -> Documents:
    """Fetches pages and cuts their main text into passages.

    Raises:
        InputError: No page gives a passage.
    """
    passages: list[Passage] = []
    unreadable: list[tuple[str, str]] = []
    for number, url in enumerate(urls, 1):
        try:
            passages += _passages_at(url, fetcher)
        except Unreadable as error:
            unreadable.append((url, str(error)))
        if progress:
            progress(number, len(urls))
    if not passages:
        raise InputError(f"no passage in {len(urls)} pages; {unreadable[0][0]}: {unreadable[0][1]}")
    return Documents(tuple(passages), tuple(unreadable))


def _passages_at(url: str, fetcher: "Fetcher") -> list[Passage]:
    page = fetcher.fetch(url)
    text, title, licence = main_text(page.html, page.final_url)
    found = list(split_passages(text, page.final_url, title=title, licence=licence))
    if not found:
        raise Unreadable("its main text is too short")
    return found


class Fetcher:
    """Fetches pages within the rules, and remembers them on disk.

    Args:
        cache: Directory for fetched pages; a page in it is not fetched again.
        delay: Least seconds between two requests to one host; a longer `Crawl-delay` wins.
        clock: Seconds that only grow.
        pause: Waits; a test may watch it.
    """

    def __init__(
        self,
        cache: Path,
        *,
        delay: float = 2.0,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        import httpx

        self._cache = cache
        self._delay = delay
        self._clock = clock
        self._pause = pause
        self._robots: dict[str, RobotFileParser] = {}
        self._last: dict[str, float] = {}
        self._client = httpx.Client(headers={"User-Agent": USER_AGENT}, timeout=_TIMEOUT, follow_redirects=False)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def fetch(self, url: str) -> Page:
        """Returns a page, from the cache if it is there.

        Raises:
            Unreadable: robots.txt forbids it, it cannot be fetched, it is no HTML page, or it moved to another host.
        """
        path = self._cache / f"{sha256(url.encode()).hexdigest()[:32]}.json"
        if path.exists():
            return Page(**json.loads(path.read_text("utf-8")))
        page = self._fetched(url)
        write_atomically(path, json.dumps(asdict(page), ensure_ascii=False))
        return page

    def _fetched(self, url: str) -> Page:
        address = url
        for _ in range(_REDIRECTS):
            if not self._robots_of(address).can_fetch(USER_AGENT, address):
                raise Unreadable("robots.txt forbids it")
            status, headers, body = self._get(address)
            if status in {301, 302, 303, 307, 308} and "location" in headers:
                target = urljoin(address, headers["location"])
                if not _same_site(target, url):
                    raise Unreadable(f"moved to another host; if its owner agrees, list {target[:120]}")
                address = target
                continue
            if status != 200:
                raise Unreadable(f"HTTP {status}")
            kind = headers.get("content-type", "text/html").partition(";")[0].strip().lower()
            if kind not in {"text/html", "application/xhtml+xml"}:
                raise Unreadable(f"is {kind}, not an HTML page")
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return Page(url, address, now, _decoded(body, headers))
        raise Unreadable(f"more than {_REDIRECTS} redirects")

    def _robots_of(self, url: str) -> RobotFileParser:
        origin = urljoin(url, "/")
        if origin not in self._robots:
            rules = RobotFileParser()
            try:
                status, _, body = self._get(urljoin(origin, "robots.txt"))
            except Unreadable:
                status, body = 599, b""
            # RFC 9309: without the file all is allowed; while it cannot be had, nothing is.
            if status == 200:
                rules.parse(body.decode("utf-8", "replace").splitlines())
            elif 400 <= status < 500 and status not in {401, 403, 429}:
                rules.parse([])
            else:
                rules.parse(["User-agent: *", "Disallow: /"])
            self._robots[origin] = rules
        return self._robots[origin]

    def _get(self, url: str) -> tuple[int, "httpx.Headers", bytes]:
        import httpx

        self._wait_for(url)
        try:
            with self._client.stream("GET", url) as response:
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise Unreadable(f"is larger than {MAX_BYTES:,} bytes")
                return response.status_code, response.headers, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreadable(
                f"cannot be fetched ({' '.join(str(error).split())[:100] or type(error).__name__})"
            ) from error

    def _wait_for(self, url: str) -> None:
        host = urlsplit(url).netloc
        delay = self._delay
        if rules := self._robots.get(urljoin(url, "/")):
            delay = max(delay, min(_LONGEST_DELAY, float(rules.crawl_delay(USER_AGENT) or 0)))
        if host in self._last:
            missing = self._last[host] + delay - self._clock()
            if missing > 0:
                self._pause(missing)
        self._last[host] = self._clock()


def _same_site(first: str, second: str) -> bool:
    one, two = urlsplit(first), urlsplit(second)
    if one.scheme not in {"http", "https"}:
        return False
    same_host = (one.hostname or "").removeprefix("www.") == (two.hostname or "").removeprefix("www.")
    return same_host and (one.port == two.port or one.scheme != two.scheme)


def _decoded(body: bytes, headers: "httpx.Headers") -> str:
    """Decodes a page by its header, else as UTF-8, else as CP949, the old encoding of Korean pages."""
    named = headers.get("content-type", "").partition("charset=")[2].strip(" \"';")
    for encoding in (named, "utf-8", "cp949"):
        try:
            return body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return body.decode("utf-8", "replace")
