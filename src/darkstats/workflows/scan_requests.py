"""What a user asks of scans: limits at all masses, shards of that work, global significance."""

from __future__ import annotations

from dataclasses import dataclass

from darkstats.errors import OptionError
from darkstats.workflows.requests import (
    BANDS,
    LIMIT_STATISTICS,
    BayesRequest,
    _one_of,
    check_prior_goes_with,
)

__all__ = ["GlobalRequest", "MassScanRequest", "ProjectRequest", "ShardsRequest"]

SCAN_METHODS = ("cls", "clsb", "pcl")
SCAN_CALCULATORS = ("asymptotic", "toys")
SYSTEMATICS = ("same", "statistical", "none")

_AS_USUAL = BayesRequest()


def _check_workers(workers: int | None) -> None:
    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers}: ask for at least one")


def _check_level(cl: float | None, method: str | None) -> None:
    """A level, where the method is known; a posterior has any."""
    lowest = 0.0 if method == "bayes" else 0.5
    if cl is not None and not lowest < cl < 1.0:
        raise OptionError(f"the level must lie between {lowest:g} and 1, got {cl:g}")


def _check_table(bayes: BayesRequest) -> None:
    if bayes.prior.startswith("table:"):
        raise OptionError(
            f"--prior {bayes.prior}: a scan keeps what its numbers depend on, and knows priors by "
            "their formulas; give the table to darkstats limit --point, one hypothesis at a time"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MassScanRequest:
    """Limits and local p-values at all hypotheses of a patch set.

    Parameters
    ----------
    source
        Folder of a built search, or a background-only workspace.
    patchset
        Patch set, where the source is a workspace; a pallet has its own.
    patches, name_pattern
        Loose patches instead, one for each hypothesis: files, patterns and members of archives; and
        where their values stand in their names, such as ``patch.sbottom_{m_sb}_{m_n1}``.
    data
        Events for an HS3 document of unbinned likelihoods: files, or the folder of a build that
        wrote some.
    output
        Folder that keeps finished blocks and the result; None keeps nothing.
    method, cl
        None takes what the search's card says.
    calculator, test_stat, band, n_toys, seed, blind
        As for a single limit; no calculator is ``asymptotic``, and none for Bayesian limits.
        ``blind=None`` opens the counts of a workspace, and events that are marked as simulated.
    bayes
        Priors and engine of Bayesian limits.
    cluster
        ``"dask://HOST:PORT"``; None for processes on this machine.
    workers
        Processes; None for one per processor.
    """

    source: str
    patchset: str | None = None
    patches: tuple[str, ...] = ()
    name_pattern: str | None = None
    data: tuple[str, ...] = ()
    output: str | None = None
    method: str | None = None
    cl: float | None = None
    calculator: str | None = None
    test_stat: str = "qtilde"
    band: str = "root"
    n_toys: int | None = None
    seed: int = 0
    blind: bool | None = None
    bayes: BayesRequest = _AS_USUAL
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
        _check_level(self.cl, self.method)
        if self.n_toys is not None and self.n_toys < 1:
            raise OptionError(f"--toys {self.n_toys}: ask for at least one")
        if self.patches and self.patchset is not None:
            raise OptionError("give a patch set with --patchset, or loose patches with --patch")
        if self.name_pattern is not None and not self.patches:
            raise OptionError("--name-pattern goes with loose patches: give them with --patch")
        if self.method is not None:
            check_prior_goes_with(self.method, self.bayes)
        _check_table(self.bayes)
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
        Folder of a finished scan; or a built search or an HS3 document, which is scanned first.
    data, blind
        Events for an HS3 document, and whether they stay closed, as for the scan.
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
    data: tuple[str, ...] = ()
    blind: bool | None = None
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
    source, patchset, method, cl, bayes, workers
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
    bayes: BayesRequest = _AS_USUAL
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
        _check_table(self.bayes)
        if not self.luminosities_ifb or any(not x > 0.0 for x in self.luminosities_ifb):
            raise OptionError("--lumi: give luminosities above zero, in 1/fb")
        _check_level(self.cl, self.method)
        _check_workers(self.workers)
