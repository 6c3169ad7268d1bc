"""What a user asks of scans: limits at all masses, shards of that work, global significance."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.errors import OptionError
from darkstats.workflows.requests import BANDS, LIMIT_STATISTICS, _one_of

__all__ = ["GlobalRequest", "MassScanRequest", "ProjectRequest", "ShardsRequest"]

SCAN_METHODS = ("cls", "clsb", "pcl")
SCAN_CALCULATORS = ("asymptotic", "toys")
SYSTEMATICS = ("same", "statistical", "none")


def _check_workers(workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers}: ask for at least one")


@dataclass(frozen=True, slots=True, kw_only=True)
class MassScanRequest:
    """Limits and local p-values at all hypotheses of a patch set.

    Parameters
    ----------
    source
        Folder of a built search, or a background-only workspace.
    patchset
        Patch set, where the source is a workspace.
    output
        Folder that keeps finished blocks and the result; None keeps nothing.
    method, cl
        None takes what the search's card says.
    calculator, test_stat, band, n_toys, seed, blind
        As for a single limit.
    cluster
        ``"dask://HOST:PORT"``; None for processes on this machine.
    workers
        Processes; None for one per processor.
    """

    source: str
    patchset: str | None = None
    output: str | None = None
    method: str | None = None
    cl: float | None = None
    calculator: str = "asymptotic"
    test_stat: str = "qtilde"
    band: str = "root"
    n_toys: int | None = None
    seed: int = 0
    blind: bool = False
    prior: str | None = None
    cluster: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A value out of range, or options that contradict.
        """
        _one_of("method", self.method, (*SCAN_METHODS, "bayes"))
        _one_of("calculator", self.calculator, SCAN_CALCULATORS)
        _one_of("test statistic", self.test_stat, LIMIT_STATISTICS)
        _one_of("band", self.band, BANDS)
        if self.cl is not None and not 0.5 < self.cl < 1.0:
            raise OptionError(f"the level must lie between 0.5 and 1, got {self.cl:g}")
        if self.n_toys is not None and (self.n_toys < 1 or self.calculator != "toys"):
            raise OptionError("--toys goes with --calculator toys, and asks for at least one")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"--seed {self.seed}: choose a whole number from 0 to 2^63 - 1")
        _check_workers(self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardsRequest:
    """One step of a scan on a batch system.

    Parameters
    ----------
    folder
        Of the job, as ``shards plan`` made it.
    shard, of
        Which shard of how many, for ``run``.
    others
        Further folders with finished shards, for ``merge``.
    """

    folder: str
    shard: int = 0
    of: int = 1
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalRequest:
    """How surprising the largest excess of a scan is.

    Parameters
    ----------
    source
        Folder of a finished scan, or of a built search, which is scanned first.
    output
        Folder of that scan and of the result; None keeps neither.
    n_toys, seed
        Toys of the whole spectrum.
    extrapolate
        Whether to follow the tail of the toys beyond them; the result is marked.
    cluster, workers
        As for the scan.
    """

    source: str
    output: str | None = None
    n_toys: int = 10_000
    seed: int = 1
    extrapolate: bool = False
    cluster: str | None = None
    workers: int | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the scan.

        Raises
        ------
        OptionError
            A value out of range.
        """
        if self.n_toys < 1:
            raise OptionError(f"--toys {self.n_toys}: ask for at least one")
        if not 0 <= self.seed < 2**63:
            raise OptionError(f"--seed {self.seed}: choose a whole number from 0 to 2^63 - 1")
        _check_workers(self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRequest:
    """Expected limits at other luminosities.

    Parameters
    ----------
    source, patchset, method, cl, workers
        As for a scan.
    luminosities_ifb
        Integrated luminosities, 1/fb.
    systematics
        ``"same"``: relative errors stay; ``"statistical"``: they fall with the square root of the
        luminosity; ``"none"``: none at all.
    """

    source: str
    luminosities_ifb: tuple[float, ...]
    patchset: str | None = None
    method: str | None = None
    cl: float | None = None
    systematics: str = "same"
    workers: int | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A value out of range.
        """
        _one_of("method", self.method, (*SCAN_METHODS, "bayes"))
        _one_of("systematics", self.systematics, SYSTEMATICS)
        if not self.luminosities_ifb or any(not x > 0.0 for x in self.luminosities_ifb):
            raise OptionError("--lumi: give luminosities above zero, in 1/fb")
        if self.cl is not None and not 0.5 < self.cl < 1.0:
            raise OptionError(f"the level must lie between 0.5 and 1, got {self.cl:g}")
        _check_workers(self.workers)
