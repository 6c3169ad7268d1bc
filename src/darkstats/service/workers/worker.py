"""What a worker does: claim a job or a block, work on it, commit, and begin again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from darkstats.errors import DarkstatsError, OutputError, ServiceError
from darkstats.logs import logger
from darkstats.service.answering import answer
from darkstats.service.questions import Question
from darkstats.service.store.rows import BlockClaim, JobClaim, Lane
from darkstats.service.workers.blocks import BlocksLost, BlocksPending, Contexts, StoredBlocks
from darkstats.service.workers.limits import Limits
from darkstats.service.workers.pulse import Pulse

if TYPE_CHECKING:
    from darkstats.service.store import Store

__all__ = ["ALL_LANES", "Desk", "internal_error", "work_once"]

_log = logger(__name__)

ALL_LANES = (Lane.QUICK, Lane.LONG)


def _go_on() -> None:
    """Finish what nobody waits for: its commit is refused."""


class Desk:
    """One worker's place: what it takes, where it works, and what it keeps from job to job.

    Parameters
    ----------
    store
        Where jobs and blocks are claimed and answers are kept.
    name
        Of the worker.
    lanes
        Which jobs it takes.
    limits
        What it may use.
    folder
        Where the folders of jobs are made; among the temporary ones by default.
    lost
        Called in another thread where a claim was lost or cancelled; a process ends itself.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        lanes: Sequence[Lane] = ALL_LANES,
        limits: Limits | None = None,
        folder: Path | None = None,
        lost: Callable[[], object] = _go_on,
    ) -> None:
        self.store, self.name, self.lanes = store, name, tuple(lanes)
        self.limits = limits or Limits()
        self._folder, self._lost = folder, lost
        self._contexts = Contexts(store)

    def claim(self) -> JobClaim | BlockClaim | None:
        """Take the next thing to do; ``None`` if there is nothing.

        Raises
        ------
        ServiceError
            The store does not answer.
        """
        return self.store.queue.claim(self.name, lanes=self.lanes, lease_s=self.limits.lease_s)

    def work(self, claim: JobClaim | BlockClaim) -> None:
        """Work on a claim to its end, and commit what came of it.

        Raises
        ------
        ServiceError
            The store does not answer: nothing was committed, and the claim runs out.
        """
        with Pulse(self.store, claim, lease_s=self.limits.lease_s, lost=self._lost) as pulse:
            if isinstance(claim, BlockClaim):
                self._block(claim)
            else:
                self._job(claim, pulse)

    def _job(self, claim: JobClaim, pulse: Pulse) -> None:
        queue = self.store.queue
        with tempfile.TemporaryDirectory(prefix="job-", dir=self._folder) as folder:
            try:
                found = answer(
                    Question.from_text(claim.job.question),
                    self.store,
                    Path(folder),
                    progress=pulse.step,
                    announce=pulse.announce,
                    runner=StoredBlocks(self.store, claim),
                )
            except BlocksPending as pending:
                queue.wait(claim, pending.job)
            except BlocksLost as lost:
                queue.fail_job(claim, lost.reason)
            except MemoryError:
                queue.fail_job(claim, self.limits.too_much_memory)
            except OutputError as error:
                queue.fail_job(claim, f"the service cannot write: {error}; tell the operator")
            except ServiceError:
                raise
            except Exception as error:
                _log.exception("%s: internal error", claim.job.name)
                queue.fail_job(claim, internal_error(error))
            else:
                queue.finish_job(claim, found)

    def _block(self, claim: BlockClaim) -> None:
        queue, begun = self.store.queue, time.monotonic()

        def seconds() -> float:
            return time.monotonic() - begun

        try:
            text = self._contexts.run(claim)
        except MemoryError:
            queue.fail_block(claim, self.limits.too_much_memory, seconds=seconds(), lost=True)
        except (ServiceError, OutputError):
            raise
        except DarkstatsError as error:
            queue.fail_block(claim, str(error), seconds=seconds())
        except Exception as error:
            _log.exception("block %d of %s: internal error", claim.number, claim.work)
            queue.fail_block(claim, internal_error(error), seconds=seconds(), lost=True)
        else:
            queue.finish_block(claim, text, seconds=seconds())


def internal_error(error: Exception) -> str:
    """What to say of an error that nobody meant."""
    words = str(error).strip().splitlines()
    told = f"{type(error).__name__}: {words[0]}" if words else type(error).__name__
    return f"internal error ({told[:300]}); please report it with the documents of the question"


def work_once(store: Store, name: str = "test", *, lanes: Sequence[Lane] = ALL_LANES) -> bool:
    """Claim one job or block and work on it in this process; false if there is nothing to do.

    A job that needs blocks takes several calls: one up to its blocks, one for each of them, and
    one more. For tests, and for whoever embeds a service without processes.

    Raises
    ------
    ServiceError
        The store does not answer.
    """
    desk = Desk(store, name=name, lanes=lanes)
    claim = desk.claim()
    if claim is None:
        return False
    desk.work(claim)
    return True
