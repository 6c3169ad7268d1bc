"""Searches of the repository, built quickly from a changed card and scanned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from darkstats.cli import run

__all__ = ["build_and_scan", "scan_of"]


def build_and_scan(at: Path) -> None:
    """Build ``card.yaml`` of a folder into ``build``, and scan that into ``scan``."""
    assert run(["build", str(at / "card.yaml"), "-o", str(at / "build"), "--quick"]) == 0
    assert run(["scan", str(at / "build"), "-o", str(at / "scan")]) == 0


def scan_of(at: Path) -> dict[str, Any]:
    """The record of the scan."""
    found: dict[str, Any] = json.loads((at / "scan/scan.json").read_text("utf-8"))
    return found
