"""What a worker may use of its machine."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from darkstats.errors import OptionError

__all__ = ["Limits"]

_THREADS = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one worker process, each for one job (up to its blocks) or one block.

    Parameters
    ----------
    memory_bytes
        Address space; 0 for no limit. Libraries map about 1 GB that they hardly use.
    wall_s, cpu_s
        Time, by the clock and of processors, in seconds; then the process is killed.
    nice
        Added to the priority of workers that take long jobs.
    lease_s
        How long the work of a machine that vanished is given to nobody else, in seconds.
    claims
        Jobs and blocks of one process, before a fresh one takes its place.

    Raises
    ------
    OptionError
        A limit that allows nothing.
    """

    memory_bytes: int = 6_000_000_000
    wall_s: float = 3_600.0
    cpu_s: float = 3_600.0
    nice: int = 10
    lease_s: float = 30.0
    claims: int = 2_000

    def __post_init__(self) -> None:
        for name in ("wall_s", "cpu_s", "lease_s", "claims"):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name} {getattr(self, name)}: give a number above zero")
        if self.memory_bytes < 0 or 0 < self.memory_bytes < 10**9:
            raise OptionError(
                f"memory_bytes {self.memory_bytes}: the program itself needs 1 GB; give more, or 0 "
                "for no limit"
            )

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)

    def environment(self) -> dict[str, str]:
        """Environment of a worker: one thread each, or they would slow each other down."""
        return {**os.environ, **dict.fromkeys(_THREADS, "1")}

    def enter(self, *, is_nice: bool) -> None:
        """Put this process under its limits, except that of processor time."""
        import resource

        if is_nice:
            os.nice(self.nice)
        with suppress(ValueError, OSError):  # a lower hard limit is fine, too
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.memory_bytes:
            _lower(resource.RLIMIT_AS, self.memory_bytes)

    def begin(self) -> None:
        """Give this process its processor time anew, for the next job or block."""
        import resource

        used = sum(os.times()[:2])
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        _lower(resource.RLIMIT_CPU, int(used + self.cpu_s) + 1)

    @property
    def too_much_memory(self) -> str:
        """What to say of a job that met the limit of memory."""
        size = f"more than {1e-9 * self.memory_bytes:.3g} GB" if self.memory_bytes else "too much"
        return (
            f"it needs {size} of memory; ask for fewer toys or hypotheses at a time, merge bins, "
            "or let the operator raise the limit of memory"
        )

    @property
    def too_long(self) -> str:
        """What to say of a job that met the limit of time."""
        return (
            f"it took longer than {self.wall_s:.0f} s; ask for fewer toys or hypotheses, use the "
            "asymptotic calculator, or let the operator raise the limit of time"
        )

    @property
    def too_much_processor(self) -> str:
        """What to say of a job that met the limit of processor time."""
        return (
            f"it took more than {self.cpu_s:.0f} s of processor time; ask for fewer toys or "
            "hypotheses, or let the operator raise the limit"
        )


def _lower(what: int, soft: int) -> None:
    import resource

    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(what, (soft, hard))
