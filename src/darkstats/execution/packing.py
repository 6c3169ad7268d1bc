"""Arrays inside the JSON of a block: compressed, the same bytes every time."""

from __future__ import annotations

import base64
import io
import zlib
from typing import TYPE_CHECKING

import numpy as np

from darkstats.errors import ShardError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["pack_arrays", "unpack_arrays"]


def pack_arrays(arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, str]:
    """Return arrays as text."""
    packed = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(array, order="C"), allow_pickle=False)
        packed[name] = base64.b64encode(zlib.compress(buffer.getvalue(), 6)).decode("ascii")
    return packed


def unpack_arrays(packed: Mapping[str, str]) -> dict[str, npt.NDArray[np.generic]]:
    """Inverse of :func:`pack_arrays`.

    Raises
    ------
    ShardError
        The text is none of its making.
    """
    try:
        return {
            name: np.load(io.BytesIO(zlib.decompress(base64.b64decode(text))), allow_pickle=False)
            for name, text in packed.items()
        }
    except (ValueError, zlib.error) as error:
        raise ShardError(f"a block holds no arrays: {error}") from None
