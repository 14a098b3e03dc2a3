"""A ceiling on tokens and money: the worst case of every attempt is set aside before it is sent.

What an attempt cost that broke off is unknown, so its worst case counts as spent. The one thing not known here is what
was under way when a run was killed: those attempts, as many as run in parallel, are in no record.
"""

from dataclasses import dataclass
from threading import Lock

from data.errors import DobaeError


class BudgetSpentError(DobaeError):
    """The next request could pass the budget."""

    code = "budget"


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What may be spent over all runs of one journal.

    Attributes:
        max_tokens: Tokens in and out together; None for no limit.
        max_cost: Money, in the unit of the prices; None for no limit.
        price_in: Price of a million prompt tokens.
        price_out: Price of a million reply tokens.
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0


class Budget:
    """Counts what was spent; safe to use from several threads."""

    def __init__(self, limits: BudgetLimits, spent: tuple[int, int] = (0, 0)) -> None:
        self._limits = limits
        self._in, self._out = spent
        self._held_in = self._held_out = 0
        self._lock = Lock()

    @property
    def tokens(self) -> tuple[int, int]:
        """Returns the tokens spent, in and out."""
        return self._in, self._out

    @property
    def cost(self) -> float:
        """Returns the money spent."""
        return self._cost(self._in, self._out)

    def reserve(self, tokens_in: int, tokens_out: int) -> None:
        """Sets an attempt's worst case aside.

        Raises:
            BudgetSpentError: It could pass a limit.
        """
        limits = self._limits
        with self._lock:
            worst_in = self._in + self._held_in + tokens_in
            worst_out = self._out + self._held_out + tokens_out
            if limits.max_tokens is not None and worst_in + worst_out > limits.max_tokens:
                raise BudgetSpentError(
                    f"{self._in + self._out:,} of {limits.max_tokens:,} tokens are spent and the next request may "
                    f"need {tokens_in + tokens_out:,}; raise --max-tokens and run again to go on"
                )
            if limits.max_cost is not None and self._cost(worst_in, worst_out) > limits.max_cost:
                raise BudgetSpentError(
                    f"{self.cost:.4f} of {limits.max_cost:.4f} is spent and the next request may pass it; "
                    "raise --max-cost and run again to go on"
                )
            self._held_in += tokens_in
            self._held_out += tokens_out

    def settle(self, reserved: tuple[int, int], spent: tuple[int, int]) -> None:
        """Releases what was set aside for an attempt and counts what it cost."""
        with self._lock:
            self._held_in -= reserved[0]
            self._held_out -= reserved[1]
            self._in += spent[0]
            self._out += spent[1]

    def _cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self._limits.price_in + tokens_out * self._limits.price_out) / 1_000_000


class Meter:
    """What the attempts at a task may cost, and have cost.

    Args:
        budget: What is asked before each attempt.
        worst: Most tokens that one attempt may cost, in and out.

    Attributes:
        worst: As given; another request may be of another length.
        spent: Tokens counted so far, in and out.
        unsure: Whether an attempt of unknown cost is among them.
    """

    def __init__(self, budget: Budget, worst: tuple[int, int]) -> None:
        self._budget = budget
        self.worst = worst
        self.spent = (0, 0)
        self.unsure = False

    def begin(self) -> None:
        """Sets an attempt's worst case aside.

        Raises:
            BudgetSpentError: It could pass a limit.
        """
        self._budget.reserve(*self.worst)

    def end(self, cost: tuple[int, int] | None) -> None:
        """Counts an attempt.

        Args:
            cost: Tokens in and out; None where nobody can tell, as when the connection broke.
        """
        self.unsure = self.unsure or cost is None
        counted = self.worst if cost is None else cost
        self._budget.settle(self.worst, counted)
        self.spent = self.spent[0] + counted[0], self.spent[1] + counted[1]
