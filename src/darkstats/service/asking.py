"""The one way to put a question into the store, for the API, the pages and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.service.costs import lane_of

if TYPE_CHECKING:
    from darkstats.service.questions import Question
    from darkstats.service.store import Store, StoredJob

__all__ = ["ask"]


def ask(store: Store, question: Question, *, owner: str, priority: int = 0) -> StoredJob:
    """Ask; a known answer is there at once, as a job that is done.

    Parameters
    ----------
    store
        Where questions wait and answers are kept.
    question
        What is asked.
    owner, priority
        Who asks, and which of their questions go first.

    Raises
    ------
    ServiceError
        The store does not answer.
    """
    return store.queue.submit(
        owner=owner,
        key=question.key,
        verb=question.verb,
        question=question.text,
        title=question.title,
        lane=lane_of(question),
        priority=priority,
    )
