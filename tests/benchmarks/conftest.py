"""Benchmarks are scripts, not a package: their folder goes on the path as it does when one is launched."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
