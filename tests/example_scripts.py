"""The scripts of docs/examples as modules: what their pages rest on is tested as it is run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["example_script"]

EXAMPLES = Path(__file__).parents[1] / "docs/examples"


def example_script(name: str) -> ModuleType:
    """Load one by its name, without the ending."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
