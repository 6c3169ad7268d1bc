"""One logger for each package, below the logger ``darkstats``, which says nothing by itself.

``logging.getLogger("darkstats").addHandler(...)`` or ``logging.basicConfig(level="INFO")`` make it
heard. What a result has to tell stands in the result; a log tells of the way to it.
"""

from __future__ import annotations

import logging

__all__ = ["logger"]

logging.getLogger("darkstats").addHandler(logging.NullHandler())


def logger(module: str) -> logging.Logger:
    """Return the logger of the package that a module belongs to.

    Examples
    --------
    >>> logger("darkstats.workspace.reading").name
    'darkstats.workspace'
    """
    return logging.getLogger(".".join(module.split(".")[:2]))
