"""Fetches pages politely: robots.txt honoured, one request a host at a time and not too soon, kept on disk.

A redirect to another host is not followed, of a page as of a robots.txt: that host's owner has not been asked, and a
list of addresses must not lead to machines nobody listed. The person who lists the addresses answers for the right to
use the pages; their licence, where they state one, is kept with every passage.
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
    for number, line in enumerate(read_text(path, table=False).split("\n"), 1):
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        if not _is_address(url):
            raise InputError(f"{path}, line {number}: {url[:80]!r} is not an http or https address")
        urls[url] = None
    if not urls:
        raise InputError(f"{path}: holds no address; write one a line")
    return list(urls)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket left open, a port that is no number
        return False


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
        self._robots: dict[str, RobotFileParser | str] = {}  # or why there are none to go by
        self._last: dict[str, float] = {}
        self._client = httpx.Client(headers={"User-Agent": USER_AGENT}, timeout=_TIMEOUT, follow_redirects=False)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def fetch(self, url: str) -> Page:
        """Returns a page, from the cache if it is there.

        Raises:
            Unreadable: robots.txt forbids it or cannot be had, the page cannot be fetched, it is no HTML page, or it
                moved to another host.
            InputError: The cache cannot be written.
        """
        path = self._cache / f"{sha256(url.encode()).hexdigest()[:32]}.json"
        if kept := _kept_page(path):
            return kept
        page = self._fetched(url)
        try:
            write_atomically(path, json.dumps(asdict(page), ensure_ascii=False))
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); name another directory with --cache"
            ) from error
        return page

    def _fetched(self, url: str) -> Page:
        address, status, headers, body = self._followed(url, self._check_robots)
        if status != 200:
            raise Unreadable(f"HTTP {status}")
        kind = headers.get("content-type", "text/html").partition(";")[0].strip().lower()
        if kind not in {"text/html", "application/xhtml+xml"}:
            raise Unreadable(f"is {kind}, not an HTML page")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return Page(url, address, now, _decoded(body, headers))

    def _followed(
        self, url: str, check: Callable[[str], None] | None = None
    ) -> tuple[str, int, "httpx.Headers", bytes]:
        """Gets an address, following redirects on its own site; `check` is asked about each before it is requested."""
        address = url
        for _ in range(_REDIRECTS + 1):
            if check:
                check(address)
            status, headers, body = self._get(address)
            if status not in {301, 302, 303, 307, 308} or "location" not in headers:
                return address, status, headers, body
            address = _redirected(address, headers["location"], url)
        raise Unreadable(f"more than {_REDIRECTS} redirects")

    def _check_robots(self, url: str) -> None:
        origin = urljoin(url, "/")
        if origin not in self._robots:
            self._robots[origin] = self._robots_at(origin)
        rules = self._robots[origin]
        if isinstance(rules, str):
            raise Unreadable(f"the site's robots.txt cannot be had ({rules}), without which nothing is fetched")
        if not rules.can_fetch(USER_AGENT, url):
            raise Unreadable("robots.txt forbids it")

    def _robots_at(self, origin: str) -> RobotFileParser | str:
        """Returns a site's rules, or why they cannot be had.

        RFC 9309: redirects are followed; without the file all is allowed; while it cannot be had, nothing is.
        """
        try:
            _, status, _, body = self._followed(urljoin(origin, "robots.txt"))
        except Unreadable as error:
            return str(error)
        if status != 200 and not (400 <= status < 500 and status not in {401, 403, 429}):
            return f"HTTP {status}"
        rules = RobotFileParser()
        rules.parse(body.decode("utf-8-sig", "replace").splitlines() if status == 200 else [])
        return rules

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
        rules = self._robots.get(urljoin(url, "/"))
        if isinstance(rules, RobotFileParser):
            delay = max(delay, min(_LONGEST_DELAY, float(rules.crawl_delay(USER_AGENT) or 0)))
        if host in self._last:
            missing = self._last[host] + delay - self._clock()
            if missing > 0:
                self._pause(missing)
        self._last[host] = self._clock()


def _kept_page(path: Path) -> Page | None:
    """Reads a page kept earlier; None where there is none, or a damaged one."""
    try:
        page = Page(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return page if all(isinstance(text, str) for text in asdict(page).values()) else None


def _redirected(address: str, location: str, listed: str) -> str:
    try:
        target = urljoin(address, location)
        follows = _same_site(target, listed)
    except ValueError:
        raise Unreadable(f"moved to {location[:120]!r}, which is no address") from None
    if not follows:
        raise Unreadable(f"moved to another host; if its owner agrees, list {target[:120]}")
    return target


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
