"""The type of what a JSON text holds."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["JsonValue"]

JsonValue: TypeAlias = Any
"""Anything that JSON can hold, before its structure has been checked: the linter's input."""
