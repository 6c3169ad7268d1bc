"""A small search as strangers publish theirs: a background, and signals with labels of any kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def background() -> Document:
    """Two channels without any signal; the parameter of interest comes with the patch."""
    systematic = {"name": "scale", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}

    def sample(data: list[float]) -> Document:
        return {"name": "bkg", "data": data, "modifiers": [systematic]}

    return {
        "version": "1.0.0",
        "channels": [
            {"name": "SR", "samples": [sample([12.0, 6.0])]},
            {"name": "CR", "samples": [sample([80.0])]},
        ],
        "observations": [{"name": "SR", "data": [13, 5]}, {"name": "CR", "data": [82]}],
        "measurements": [{"name": "meas", "config": {"poi": "mu_SIG", "parameters": []}}],
    }


def operations(size: float) -> list[Document]:
    """The patch that adds a signal."""
    strength = {"name": "mu_SIG", "type": "normfactor", "data": None}
    sample = {"name": "signal", "data": [size, 0.5 * size], "modifiers": [strength]}
    return [{"op": "add", "path": "/channels/0/samples/1", "value": sample}]


def patch_set(labels: Sequence[str], values: Sequence[Sequence[float | str]]) -> Document:
    """A patch set of :func:`background`; one point for each row of values."""
    text = json.dumps(background(), sort_keys=True, ensure_ascii=False)
    return {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": "ins1234567"},
            "digests": {"sha256": hashlib.sha256(text.encode()).hexdigest()},
            "labels": list(labels),
            "description": "made up",
        },
        "patches": [
            {
                "metadata": {"name": f"point_{k}", "values": list(row)},
                "patch": operations(3.0 + 0.5 * k),
            }
            for k, row in enumerate(values)
        ],
    }


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document), "utf-8")
    return path
