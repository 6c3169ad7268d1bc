"""The only truth of the service: documents, jobs, blocks, results, in one database."""

from __future__ import annotations

from darkstats.service.store.database import Database
from darkstats.service.store.documents import Documents
from darkstats.service.store.queue import Queue
from darkstats.service.store.requests import Requests
from darkstats.service.store.results import Results
from darkstats.service.store.rows import (
    Answer,
    BlockClaim,
    Claim,
    Collection,
    Event,
    JobClaim,
    JobState,
    Lane,
    StoredJob,
    StoredResult,
)

__all__ = [
    "Answer",
    "BlockClaim",
    "Claim",
    "Collection",
    "Event",
    "JobClaim",
    "JobState",
    "Lane",
    "Store",
    "StoredJob",
    "StoredResult",
]


class Store:
    """Everything that the service keeps.

    Parameters
    ----------
    url
        ``sqlite:////PATH`` or ``postgresql+psycopg://USER@HOST/NAME``.
    upgrade
        Whether tables of an older version may be changed to those of this one.

    Raises
    ------
    OptionError
        The URL names no database that is known here.
    ServiceError
        It cannot be reached, or was made by another version.
    """

    def __init__(self, url: str, *, upgrade: bool = False) -> None:
        self.database = Database(url, upgrade=upgrade)
        self.documents = Documents(self.database)
        self.queue = Queue(self.database)
        self.results = Results(self.database)
        self.requests = Requests(self.database)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()
