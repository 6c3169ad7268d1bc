"""How long a question may take, as far as that can be told from its words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.service.store.rows import Lane

if TYPE_CHECKING:
    from darkstats.service.questions import Question

__all__ = ["lane_of"]

#: Verbs that look at many hypotheses, simulate, or compute a bundle again.
_LONG = {"scan", "global", "project", "build", "simulate", "verify", "publish", "simplify", "prune"}
_MANY_TOYS = 20_000


def lane_of(question: Question) -> Lane:
    """Where a question queues: quick ones have a worker of their own."""
    options = question.options
    if question.verb in _LONG or options.get("method") == "bayes":
        return Lane.LONG
    toys = options.get("calculator") == "toys" or "n_toys" in options
    n_toys = options.get("n_toys", _MANY_TOYS if toys else 0)
    many = not isinstance(n_toys, int) or n_toys >= _MANY_TOYS
    return Lane.LONG if toys and many else Lane.QUICK
