"""A cache layer with room for what is still to be written.

transformers' own growing layer makes both of its tensors anew for every token. Beside a small model that copying takes
as long as the model, once several long prompts stand side by side.
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import pad
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of several prompts, of which a step writes the new positions only.

    Made for one loop of decoding: written to and narrowed, never repeated, reordered or reset.

    Attributes:
        keys: What is written so far; shape `(b, heads, n, size)`, a view.
        values: The same.
    """

    def __init__(self, keys: Tensor, values: Tensor, room: int) -> None:
        """Takes what was read.

        Args:
            keys: Shape `(b, heads, n, size)`.
            values: Shape `(b, heads, n, size)`.
            room: Positions that will be written at most.
        """
        super().__init__()
        self.lazy_initialization(keys, values)
        self._rooms = [pad(states, (0, 0, 0, room)) for states in (keys, values)]
        self._show(keys.shape[-2])

    def update(self, key_states: Tensor, value_states: Tensor, *_args: Any, **_kwargs: Any) -> tuple[Tensor, Tensor]:
        """Writes new positions behind the others.

        Args:
            key_states: Shape `(b, heads, new, size)`.
            value_states: Shape `(b, heads, new, size)`.

        Returns:
            All keys and values so far, each of shape `(b, heads, n, size)`; views.

        Raises:
            ValueError: There is no more room.
        """
        begin = self.keys.shape[-2]
        end = begin + key_states.shape[-2]
        if end > self._rooms[0].shape[-2]:
            raise ValueError(f"a cache with room for {self._rooms[0].shape[-2]} positions was asked to hold {end}")
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, begin:end] = states
        self._show(end)
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps some of the prompts.

        Args:
            indices: Their places, shape `(kept,)`.
        """
        written = self.keys.shape[-2]
        self._rooms = [room[indices] for room in self._rooms]
        self._show(written)

    def _show(self, written: int) -> None:
        self.keys, self.values = (room[:, :, :written] for room in self._rooms)
