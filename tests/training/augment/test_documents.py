"""Documents and pages: what is read, what is refused with its reason, and manners towards other people's servers."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from data.errors import FileFormatError, InputError
from training.augment.documents import LONGEST, SHORTEST, Unreadable, read_documents, split_passages
from training.augment.web import USER_AGENT, Fetcher, read_pages, read_urls

KOREAN = "벽지 이음매는 도배풀이 마르면서 벌어질 수 있으므로 롤러로 고르게 눌러 붙입니다. "
PARAGRAPH = KOREAN * 3
PAGE = f"""<html><head><title>이음매 안내</title><link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
</head><body><nav>메뉴 로그인 회원가입</nav><article><h1>이음매 안내</h1><p>{PARAGRAPH}</p><p>{PARAGRAPH}</p></article>
<footer><a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY 4.0</a></footer></body></html>"""


def _pdf(lines: list[str]) -> bytes:
    """A PDF of one page, written by hand: no package here writes text into one."""
    text = b" ".join(b"(%s) Tj T*" % line.encode() for line in lines)
    stream = b"BT /F1 12 Tf 14 TL 50 700 Td %s ET" % text
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content = b"%PDF-1.4\n"
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return content + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(content),
    )


def test_every_kind_of_document_gives_passages_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text(PARAGRAPH, "cp949")
    (tmp_path / "b.md").write_text(
        f"# 이음매\n\n- **{KOREAN.strip()}**\n- [{KOREAN.strip()}](http://x)\n\n```\ncode\n```\n", "utf-8"
    )
    (tmp_path / "deep" / "c.html").write_text(PAGE, "utf-8")
    (tmp_path / "d.pdf").write_bytes(_pdf(["Press the seam with a roller until the paste"] * 3))
    (tmp_path / ".hidden.txt").write_text(PARAGRAPH, "utf-8")
    documents = read_documents(tmp_path)
    assert documents.unreadable == ()
    by_source = {passage.source: passage for passage in documents.passages}
    assert set(by_source) == {"a.txt", "b.md", "deep/c.html", "d.pdf"}
    assert by_source["a.txt"].text == PARAGRAPH.strip()
    assert by_source["b.md"].title == "이음매"
    assert not set("*#[]`") & set(by_source["b.md"].text)
    assert by_source["deep/c.html"].title == "이음매 안내"
    assert "creativecommons" in by_source["deep/c.html"].licence.lower() or "CC" in by_source["deep/c.html"].licence
    assert "로그인" not in by_source["deep/c.html"].text
    assert by_source["d.pdf"].place == "page 1, passage 1"
    assert "roller until the paste Press" in by_source["d.pdf"].text


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(PARAGRAPH, "utf-8")
    (tmp_path / "empty.txt").write_text("", "utf-8")
    (tmp_path / "short.txt").write_text("짧다", "utf-8")
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "images.pdf").write_bytes(_pdf([]))
    (tmp_path / "nav.html").write_text("<html><body></body></html>", "utf-8")
    (tmp_path / "plain.pdf").write_bytes(_pdf(["secret words that nobody may read without the word"] * 3))
    writer = PdfWriter(PdfReader(tmp_path / "plain.pdf"))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    reasons = dict(read_documents(tmp_path).unreadable)
    expected = {
        "empty.txt": "empty",
        "short.txt": "no passage",
        "table.xlsx": ".xlsx is not read",
        "broken.pdf": "not a readable PDF",
        "images.pdf": "only images",
        "nav.html": "no main text",
        "locked.pdf": "is encrypted",
    }
    assert set(reasons) == set(expected)
    assert [name for name, words in expected.items() if words not in reasons[name]] == []


@pytest.mark.parametrize(
    "error", [NotImplementedError("/Crypt filter"), AttributeError("x"), IndexError(), MemoryError()]
)
def test_a_pdf_of_any_oddity_is_named_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "good.txt").write_text(PARAGRAPH, "utf-8")
    (tmp_path / "odd.pdf").write_bytes(_pdf(["Press the seam with a roller until the paste"] * 3))
    monkeypatch.setattr("pypdf.PageObject.extract_text", fail)
    documents = read_documents(tmp_path)
    assert [passage.source for passage in documents.passages] == ["good.txt"]
    ((name, reason),) = documents.unreadable
    assert name == "odd.pdf"
    assert reason.startswith("is not a readable PDF (")


def test_reasons_speak_of_documents_not_of_tables(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(PARAGRAPH, "utf-8")
    (tmp_path / "empty.md").write_text(" \n", "utf-8")
    (tmp_path / "wide.txt").write_text(PARAGRAPH, "utf-16")
    (tmp_path / "zeros.txt").write_bytes(b"a\x00b")
    (tmp_path / "torn.txt").write_bytes(b"\xff\xff\xff")
    reasons = dict(read_documents(tmp_path).unreadable)
    assert reasons["empty.md"] == "the file is empty"
    assert reasons["wide.txt"] == "is UTF-16; save it as UTF-8"
    assert reasons["zeros.txt"] == "is not a text file (it holds zero bytes)"
    assert reasons["torn.txt"].endswith("line 1: is neither UTF-8 nor CP949; save the file as UTF-8")


@pytest.mark.parametrize("sentence", ["가" * 3_000, "벽지를 곧게 " * 430, "가" * 900 + " " + "나" * 901])
def test_a_sentence_of_any_length_is_cut_and_not_cut_off(sentence: str) -> None:
    passages = list(split_passages(sentence, "x"))
    assert all(len(passage.text) <= LONGEST + SHORTEST for passage in passages)
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(sentence.split())


def test_a_folder_without_passages_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no passage"):
        read_documents(tmp_path)
    with pytest.raises(InputError, match="not a directory"):
        read_documents(tmp_path / "none")


def test_passages_lose_no_words_and_stay_within_bounds() -> None:
    text = "\n".join([KOREAN * n for n in (1, 2, 30, 1, 5, 1)])
    passages = list(split_passages(text, "x", place="page 2"))
    assert all(SHORTEST <= len(passage.text) <= LONGEST + SHORTEST for passage in passages)
    assert "".join("".join(passage.text.split()) for passage in passages) == "".join(text.split())
    assert len({passage.key for passage in split_passages("가" * 2_000, "x")} | {passages[0].key}) > 1
    assert list(split_passages("짧다", "x")) == []


# ---- pages ---------------------------------------------------------------------------------------------------------


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.robots = "User-agent: *\nDisallow: /private\n"
        self.robots_status = 200
        self.moved: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        moved = {"/moved": "/page", "/away": "http://localhost:1/page", "/loop": "/loop", "/sneaky": "/private/page"}
        moved |= self.server.moved
        if self.path == "/robots.txt" and self.path not in moved:
            self._send(self.server.robots_status, self.server.robots.encode(), "text/plain")
        elif self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
        elif self.path == "/rules":
            self._send(200, self.server.robots.encode(), "text/plain")
        elif self.path == "/cp949":
            self._send(200, PAGE.encode("cp949"), "text/html")
        elif self.path == "/picture":
            self._send(200, b"\x89PNG", "image/png")
        elif self.path == "/huge":
            self._send(200, b"x" * 5_000_001, "text/html")
        elif self.path == "/gone":
            self._send(404, b"", "text/html")
        else:
            self._send(200, PAGE.encode(), "text/html; charset=utf-8")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
        """Keeps the test's output clean."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def fetcher(tmp_path: Path, waits: list[float]) -> Iterator[Fetcher]:
    now = 0.0

    def pause(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    started = Fetcher(tmp_path / "cache", delay=2.0, clock=lambda: now, pause=pause)
    yield started
    started.close()


@pytest.mark.integration
def test_a_page_gives_its_main_text_with_address_and_licence(site: Site, fetcher: Fetcher) -> None:
    documents = read_pages([f"{site.url}/page"], fetcher)
    passage = documents.passages[0]
    assert passage.source == f"{site.url}/page"
    assert passage.title == "이음매 안내"
    assert "CC" in passage.licence or "creativecommons" in passage.licence
    assert "로그인" not in passage.text
    assert {agent for _, agent in site.asked} == {USER_AGENT}


@pytest.mark.integration
def test_a_host_is_not_asked_again_too_soon_and_a_page_never_twice(
    site: Site, fetcher: Fetcher, waits: list[float]
) -> None:
    urls = [f"{site.url}/page{n}" for n in range(3)]
    read_pages(urls, fetcher)
    assert waits == [2.0, 2.0, 2.0]  # robots.txt, then three pages
    assert [path for path, _ in site.asked] == ["/robots.txt", "/page0", "/page1", "/page2"]
    read_pages(urls, fetcher)
    assert len(site.asked) == 4


@pytest.mark.integration
def test_a_longer_crawl_delay_wins(site: Site, fetcher: Fetcher, waits: list[float]) -> None:
    site.robots = "User-agent: *\nCrawl-delay: 7\n"
    read_pages([f"{site.url}/a", f"{site.url}/b"], fetcher)
    assert waits[-1] == 7.0


@pytest.mark.integration
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/private/page", "robots.txt forbids"),
        ("/sneaky", "robots.txt forbids"),
        ("/away", "moved to another host"),
        ("/loop", "more than 5 redirects"),
        ("/gone", "HTTP 404"),
        ("/picture", "is image/png"),
        ("/huge", "larger than"),
    ],
)
def test_a_page_that_may_not_or_cannot_be_had_says_why(site: Site, fetcher: Fetcher, path: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        fetcher.fetch(f"{site.url}{path}")
    assert not any(asked.startswith("/private") for asked, _ in site.asked)


@pytest.mark.integration
@pytest.mark.parametrize(("status", "allowed"), [(404, True), (403, False), (500, False)])
def test_robots_that_cannot_be_had_forbid_unless_there_are_none(
    site: Site, fetcher: Fetcher, status: int, allowed: bool
) -> None:
    site.robots_status = status
    if allowed:
        assert fetcher.fetch(f"{site.url}/page").html == PAGE
    else:
        with pytest.raises(Unreadable, match=rf"robots\.txt cannot be had \(HTTP {status}\)"):
            fetcher.fetch(f"{site.url}/page")


@pytest.mark.integration
def test_robots_that_moved_are_followed_on_their_own_site(site: Site, fetcher: Fetcher) -> None:
    site.moved = {"/robots.txt": "/r1", "/r1": "/r2", "/r2": "/r3", "/r3": "/r4", "/r4": "/rules"}
    assert fetcher.fetch(f"{site.url}/page").html == PAGE
    with pytest.raises(Unreadable, match=r"robots\.txt forbids it"):
        fetcher.fetch(f"{site.url}/private/page")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://localhost:1/robots.txt", "moved to another host"),
        ("/robots.txt", "more than 5 redirects"),
        ("http://[::1", "cannot be fetched"),
    ],
)
def test_robots_that_lead_astray_cannot_be_had(site: Site, fetcher: Fetcher, target: str, reason: str) -> None:
    site.moved = {"/robots.txt": target}
    with pytest.raises(Unreadable, match=rf"robots\.txt cannot be had \({reason}"):
        fetcher.fetch(f"{site.url}/page")
    assert not any(path == "/page" for path, _ in site.asked)


@pytest.mark.integration
@pytest.mark.parametrize("damaged", ["", "{", "[]", "{}", '{"url": 1, "final_url": 2, "fetched": 3, "html": 4}'])
def test_a_damaged_cache_file_counts_as_none(site: Site, fetcher: Fetcher, tmp_path: Path, damaged: str) -> None:
    page = fetcher.fetch(f"{site.url}/page")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(damaged, "utf-8")
    assert fetcher.fetch(f"{site.url}/page").html == page.html
    assert [path for path, _ in site.asked].count("/page") == 2
    assert fetcher.fetch(f"{site.url}/page").html == page.html
    assert [path for path, _ in site.asked].count("/page") == 2


@pytest.mark.integration
def test_redirects_on_the_host_and_old_encodings_are_followed(site: Site, fetcher: Fetcher) -> None:
    page = fetcher.fetch(f"{site.url}/moved")
    assert page.final_url == f"{site.url}/page"
    assert fetcher.fetch(f"{site.url}/cp949").html == PAGE


@pytest.mark.integration
def test_one_bad_page_does_not_stop_the_others_and_none_at_all_is_one_line(site: Site, fetcher: Fetcher) -> None:
    documents = read_pages([f"{site.url}/gone", f"{site.url}/page", "http://127.0.0.1:9/x"], fetcher)
    assert [url for url, _ in documents.unreadable] == [f"{site.url}/gone", "http://127.0.0.1:9/x"]
    assert documents.passages
    with pytest.raises(InputError, match="no passage in 1 pages"):
        read_pages([f"{site.url}/gone"], fetcher)


def test_addresses_are_checked_before_the_first_is_fetched(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    path.write_text("# ours\nhttps://a.example/x\n\nhttps://a.example/x\nhttp://b.example\n", "utf-8")
    assert read_urls(path) == ["https://a.example/x", "http://b.example"]
    for line in ("file:///etc/passwd", "ftp://x", "a.example/x", "http://[::1", "http://a:b/"):
        path.write_text(f"https://a.example\n{line}\n", "utf-8")
        with pytest.raises(InputError, match="line 2"):
            read_urls(path)
    path.write_text("# none\n", "utf-8")
    with pytest.raises(InputError, match="holds no address"):
        read_urls(path)
    with pytest.raises(FileFormatError):
        read_urls(tmp_path / "none")


def test_readers_are_loaded_only_when_needed() -> None:
    import subprocess

    program = "import sys, training.augment.documents, training.augment.web; print(*sys.modules)"
    root = Path(__file__).resolve().parents[3]
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert not {"trafilatura", "pypdf", "httpx", "langchain"} & {name.split(".")[0] for name in loaded.stdout.split()}
