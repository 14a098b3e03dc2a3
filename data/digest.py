"""Digests of groups: what proves that a group came back as it went out."""

import json
from hashlib import sha256

from data.types import QAGroup


def group_digest(group: QAGroup) -> str:
    """Returns a sha256 over every field of a group."""
    fields = [group.id, list(group.questions), list(group.answers), group.category, group.source]
    return sha256(json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
