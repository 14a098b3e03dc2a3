"""NumPy files from anyone: the header must fit the file before any memory is taken for it, and nothing is unpickled."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def load_array(path: Path) -> npt.NDArray[Any]:
    """Reads a NumPy file of numbers.

    Raises:
        ValueError: It holds objects, or its header asks for another amount of data than the file holds.
        OSError: It cannot be read.
    """
    check_array(path)
    array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def check_array(path: Path) -> None:
    """Compares the header of a NumPy file with its size.

    Raises:
        ValueError: As `load_array`.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{path.name} is of NumPy format {version}")
        if dtype.hasobject or dtype.kind not in "iuf":
            raise ValueError(f"{path.name} holds {dtype}, not numbers")
        count = 1
        for length in shape:
            count *= length
        begin = file.tell()
    if min(shape, default=0) < 0 or begin + count * dtype.itemsize != path.stat().st_size:
        raise ValueError(f"{path.name} declares {count} numbers, which the file does not hold")
