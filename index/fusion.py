"""Fuses dense and lexical evidence into one ranking of groups.

score(row) = cosine(row) + morphemes * BM25(question's morphemes) + spellings * BM25(question as it sounds)
           + fragments * BM25(group's answers) + heads * BM25(whole group)

The cosine is that in the encoder's question space (`index.question_space`) where it has one, and its own elsewhere.
Each BM25 score is divided by the query's best, so a weight is the most that its signal can add to a cosine.
Equal-weight fusion buries a strong encoder; these weights decide where it hardly does, and lift the misspelt questions
it cannot read and the symptoms that only an answer names. A group ranks by its best row; the score shown to a reader
stays the encoder's own cosine.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from index.encoders.base import Vectors
from index.lexical import Scores
from index.question_space import QuestionSpace
from index.vectors import Positions, RowSearch, cosines_of

POOL = 64
"""Rows taken from each signal before fusing, by the encoder's own cosine for the dense one; the union is ranked.

Among the first ten of train.csv and of the starter base more rows change nothing."""


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """What each lexical signal may add to a cosine.

    The defaults are for an encoder's own cosine, `IN_SPACE` for that in its question space; how they were chosen
    stands in docs/results.md (`benchmarks/tune_fusion.py`).

    Attributes:
        morphemes: Weight of BM25 over Kiwi morphemes of the questions.
        spellings: Weight of BM25 over the jamo n-grams of the questions as they sound.
        fragments: Weight of BM25 over jamo n-grams of a group's answers.
        heads: Weight of BM25 over word heads of a group's questions and answers.
    """

    morphemes: float = 0.01
    spellings: float = 0.06
    fragments: float = 0.12
    heads: float = 0.03


IN_SPACE = FusionWeights(morphemes=0.03, spellings=0.25, fragments=0.28, heads=0.06)
"""Weights beside the cosine in a question space, which is spread over a wider range."""


REACH = 0.04
"""How far behind the best score 95 in 100 of the groups lie that answer and are among the first three, of the others a
part only: `benchmarks/nearness.py`, with the weights for an encoder's own cosine."""

REACH_IN_SPACE = 0.15
"""The same with `IN_SPACE`."""


def reach_of(space: QuestionSpace | None) -> float:
    """Returns the difference of rank scores that counts as one in `Hit.behind`."""
    return REACH if space is None else REACH_IN_SPACE


def default_weights(space: QuestionSpace | None) -> FusionWeights:
    """Returns the weights of a new base whose encoder has that space, or none."""
    return FusionWeights() if space is None else IN_SPACE


class LexicalScores(NamedTuple):
    """Normalised BM25 scores of one query: the first two of each question row, the others of each group."""

    morphemes: Scores
    spellings: Scores
    fragments: Scores
    heads: Scores


class Ranked(NamedTuple):
    """Best rows, one a group, best first.

    Attributes:
        positions: Row positions.
        cosines: Their cosines.
        fused: The scores that rank them; None if nothing does.
        nearest: The largest cosine of any row; None if none was looked for.
    """

    positions: Positions
    cosines: Vectors
    fused: Vectors | None = None
    nearest: float | None = None


def rank_groups(
    query: Vectors,
    vectors: RowSearch,
    group_of_row: Positions,
    lexical: LexicalScores | None,
    weights: FusionWeights,
    limit: int,
    keys: Positions | None = None,
    space: QuestionSpace | None = None,
) -> Ranked:
    """Ranks groups for one query.

    Args:
        query: Unit vector of shape `(dim,)`.
        vectors: Index over `n` question rows.
        group_of_row: Group number of each row; shape `(n,)`.
        lexical: BM25 scores, or None for the encoder alone.
        weights: Fusion weights.
        limit: Groups wanted.
        keys: Key of each group number, which decides between equals; the number itself if None.
        space: Where cosines rank; the encoder's own do if None.

    Returns:
        At most `limit` rows, no two of one group.
    """
    pool = max(POOL, 8 * limit)
    before = group_of_row if keys is None else keys[group_of_row]
    rows = vectors.search(query, pool).positions
    found = vectors.rows(rows)
    if lexical is None:
        return _best_of_each_group(rows, *_cosines(query, found, space), group_of_row, before, limit)
    of_rows = weights.morphemes * lexical.morphemes + weights.spellings * lexical.spellings
    of_groups = weights.fragments * lexical.fragments + weights.heads * lexical.heads
    extra = _further_rows(rows, _top(of_rows, pool, before), _top(of_groups, pool, keys), group_of_row)
    if extra.size:
        rows = np.concatenate((rows, extra))
        found = np.concatenate((found, vectors.rows(extra)))
    cosines, ranking = _cosines(query, found, space)
    fused = ranking + of_rows[rows] + of_groups[group_of_row[rows]]
    return _best_of_each_group(rows, cosines, fused, group_of_row, before, limit)


def _cosines(query: Vectors, rows: Vectors, space: QuestionSpace | None) -> tuple[Vectors, Vectors]:
    """Cosines of a query and rows: the encoder's own, and those that rank."""
    own = cosines_of(rows, query)
    return own, own if space is None else space.cosines(rows, query)


def _further_rows(
    known: Positions, found_rows: Positions, found_groups: Positions, group_of_row: Positions
) -> Positions:
    """Rows found by their words, or of groups found by theirs, that are not known yet, ascending."""
    in_group = np.zeros(int(group_of_row.max()) + 1, dtype=bool)
    in_group[found_groups] = True
    wanted = in_group[group_of_row]
    wanted[found_rows] = True
    wanted[known] = False
    return np.flatnonzero(wanted)


def _top(scores: Scores, limit: int, before: Positions | None) -> Positions:
    """Positions of the `limit` largest positive scores, in no order; of equals those come first that `before` ranks so.

    Which of equals are taken must not depend on where they lie: an edited base holds the same rows as a rebuilt one at
    other places.
    """
    if scores.size <= limit:
        return np.flatnonzero(scores > 0)
    least = np.partition(scores, -limit)[-limit]
    if least <= 0:
        return np.flatnonzero(scores > 0)
    above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    if before is not None:
        equal = equal[np.argsort(before[equal], kind="stable")]
    return np.concatenate((above, equal[: limit - len(above)]))


def _best_of_each_group(
    rows: Positions, cosines: Vectors, fused: Vectors, group_of_row: Positions, before: Positions, limit: int
) -> Ranked:
    # Groups in their order and rows within them break ties, wherever they lie and whichever signal found them first.
    order = np.lexsort((rows, before[rows], -fused))
    _, first = np.unique(group_of_row[rows[order]], return_index=True)
    chosen = order[np.sort(first)[:limit]]
    return Ranked(rows[chosen], cosines[chosen], fused[chosen], float(cosines.max(initial=-1.0)))
