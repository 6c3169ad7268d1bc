"""The type of what a JSON text holds."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["JsonObject", "JsonValue"]

JsonValue: TypeAlias = Any
"""Anything that JSON can hold, before its structure has been checked: the linter's input."""

JsonObject: TypeAlias = dict[str, Any]
"""An object of a JSON text: a document that was read, or a record that will be written."""
