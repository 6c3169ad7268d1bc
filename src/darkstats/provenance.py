"""Where a number comes from: digests, versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from typing import Any

__all__ = ["digest_of", "digest_of_text", "package_version", "versions"]


def digest_of(value: object) -> str:
    """SHA-256, hexadecimal, of a JSON value written with sorted keys and no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_of_text(text.encode())


def digest_of_text(data: bytes) -> str:
    """SHA-256, hexadecimal, of text that is written so already."""
    return hashlib.sha256(data).hexdigest()


def package_version(name: str) -> str | None:
    """Installed version of a distribution; None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import: not for digests

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions(extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Versions that a number may depend on: darkstats, Python, NumPy, Numba."""
    found = {name: package_version(name) for name in ("darkstats", "numpy", "numba")}
    result = {name: value for name, value in found.items() if value is not None}
    result["python"] = platform.python_version()
    result.update({key: str(value) for key, value in (extra or {}).items()})
    return result
