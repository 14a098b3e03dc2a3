"""The knowledge bases that are asked, built once and kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from data.errors import KnowledgeBaseError
from data.types import QAGroup
from index.building import build_knowledge_base
from index.encoders.base import Encoder, Progress
from index.knowledge_base import KnowledgeBase, open_knowledge_base


def open_bases(
    groups_of: Mapping[str, Sequence[QAGroup]], encoder: Encoder, folder: Path, progress: Progress | None = None
) -> dict[str, KnowledgeBase]:
    """Opens the bases, building those that are not there yet or were made of other groups.

    Args:
        groups_of: Groups of each base.
        encoder: Encodes the questions.
        folder: Where they lie.
        progress: Told how many questions of a base are encoded.
    """
    opened = {}
    for name, groups in groups_of.items():
        path = folder / f"{name}-{_digest_of(groups, encoder)}"
        try:
            opened[name] = open_knowledge_base(path, encoder)
        except KnowledgeBaseError:
            build_knowledge_base(path, groups, encoder, progress=progress)
            opened[name] = open_knowledge_base(path, encoder)
    return opened


def base_digest(base: KnowledgeBase, groups: Sequence[QAGroup]) -> str:
    """Returns a digest of what an answer may depend on: groups, encoder, analyser, weights and thresholds."""
    parts = [_digest_of(groups, base.encoder), *base.manifest.searching()]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _digest_of(groups: Sequence[QAGroup], encoder: Encoder) -> str:
    content = json.dumps([encoder.fingerprint, [asdict(group) for group in groups]], ensure_ascii=False, sort_keys=True)
    return sha256(content.encode()).hexdigest()[:12]
