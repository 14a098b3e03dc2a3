"""What an answer cost is measured where it was spent."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rag.evaluation.answering import PeakMemory


class _Cuda:
    """Stands for `torch.cuda`."""

    def __init__(self, *, initialized: bool) -> None:
        self._initialized = initialized
        self.peak = 512 * 2**20

    def is_initialized(self) -> bool:
        return self._initialized

    def reset_peak_memory_stats(self) -> None:
        self.peak = 0

    def max_memory_allocated(self) -> int:
        return self.peak


def measured(monkeypatch: pytest.MonkeyPatch, cuda: _Cuda) -> Any:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    peak = PeakMemory()
    cuda.peak = max(cuda.peak, 96 * 2**20)
    return peak.to_json()


def test_on_a_gpu_the_peak_of_its_memory_is_counted_from_the_arms_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, _Cuda(initialized=True))
    assert found["cuda_peak_mib"] == 96.0
    assert found["peak_mib"] > 0


def test_without_a_gpu_in_use_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(monkeypatch, _Cuda(initialized=False))["cuda_peak_mib"] is None
