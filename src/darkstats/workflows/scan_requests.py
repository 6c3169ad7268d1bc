"""What a user asks of scans: limits at all masses, shards of that work, global significance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.scan.settings import BayesSettings
from darkstats.workflows.coupling_requests import NO_MODEL, CouplingRequest
from darkstats.workflows.requests import (
    LARGEST_SEED,
    LIKELIHOOD,
    TOYS,
    LimitOptions,
    LoosePatches,
    NamePattern,
    Points,
    check_level,
    check_prior_goes_with,
)
from darkstats.workspace.spec import Workspace

__all__ = ["GlobalRequest", "MassScanRequest", "MergeRequest", "ProjectRequest", "ShardRequest"]

_AS_USUAL = BayesSettings()

Source = Annotated[
    str | Workspace,
    argument(
        "SOURCE",
        "Folder of a built search, or with background_only.json and patchset.json; a "
        "background-only workspace with --patchset or --patch; a pallet; or an HS3 document of "
        "unbinned likelihoods.",
        reads="file",
    ),
]
Method = Annotated[
    str | None,
    option(
        "--method", metavar="NAME", help="{choices}.", usual="the card's", kind="method",
        choices=("cls", "clsb", "pcl", "bayes"),
    ),
]  # fmt: skip
Level = Annotated[
    float | None,
    option(
        "--cl", metavar="LEVEL", help="Confidence level, or credibility.",
        usual="the card's; 0.90 for bayes where the card has another method",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    option("--seed", metavar="S", help="Seed of the toys.", panel=TOYS, least=0, most=LARGEST_SEED),
]
Workers = Annotated[
    int | None,
    option(
        "--workers", metavar="N", help="Processes; any number gives the same result.", least=1
    ),
]  # fmt: skip
Cluster = Annotated[
    str | None,
    option("--cluster", metavar="URL", help="dask://HOST:PORT of a Dask scheduler."),
]
Blind = Annotated[
    bool | None,
    option(
        "--blind/--unblind",
        panel=LIKELIHOOD,
        help="Expected limits only: look at no data. Events stay closed unless they are marked as "
        "simulated, or --unblind is given.",
    ),
]
Events = Annotated[
    tuple[str, ...],
    option(
        "--data", metavar="FILE", reads="file", panel=LIKELIHOOD,
        help="Events for an HS3 document, repeatable: one file a spectrum (.parquet, .root, .csv, "
        ".npz), or the folder of a build with --events.",
    ),
]  # fmt: skip
Folder = Annotated[
    str | None,
    option(
        "-o", "--output", metavar="DIR", writes=True,
        help="Folder that keeps finished work and the result; run again to resume.",
    ),
]  # fmt: skip

Luminosity = Annotated[
    float | None,
    option(
        "--luminosity", metavar="IFB", panel=LIKELIHOOD,
        help="Luminosity of the counts, 1/fb, where neither the search nor its sidecar says it.",
    ),
]  # fmt: skip


def _check_luminosity(luminosity_ifb: float | None) -> None:
    if luminosity_ifb is not None and not 0.0 < luminosity_ifb < math.inf:
        raise OptionError(f"--luminosity {luminosity_ifb:g}: give a number above zero, in 1/fb")


def _check_table(bayes: BayesSettings) -> None:
    if bayes.prior.startswith("table:"):
        raise OptionError(
            f"--prior {bayes.prior}: a scan keeps what its numbers depend on, and knows priors by "
            "their formulas; give the table to darkstats limit --point, one hypothesis at a time"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MassScanRequest(LimitOptions):
    """Limits and local p-values at all hypotheses of a patch set.

    ``output=None`` keeps nothing. ``method`` and ``cl`` come from the search's card where they are
    not given. ``blind=None`` opens the counts of a workspace, and events that are marked as
    simulated.
    """

    source: Source
    patchset: Points = None
    patches: LoosePatches = ()
    name_pattern: NamePattern = None
    data: Events = ()
    output: Folder = None
    method: Method = None
    cl: Level = None
    calculator: Annotated[
        str | None,
        option(
            "--calculator", metavar="NAME", help="{choices}.", usual="asymptotic",
            kind="calculator", choices=("asymptotic", "toys"),
        ),
    ] = None  # fmt: skip
    n_toys: Annotated[
        int | None,
        option(
            "--toys", metavar="N", panel=TOYS, least=1,
            help="Toys of each hypothesis, for --calculator toys; with bayes, behind an expected "
            "limit that cannot be enumerated.",
        ),
    ] = None  # fmt: skip
    seed: Seed = 0
    blind: Blind = None
    couplings: CouplingRequest = NO_MODEL
    luminosity_ifb: Luminosity = None
    cluster: Cluster = None
    workers: Workers = None

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A value out of range, or options that contradict.
        """
        check_choices(self)
        _check_luminosity(self.luminosity_ifb)
        if self.cl is not None:
            check_level(self.cl, self.method)
        if self.patches and self.patchset is not None:
            raise OptionError("give a patch set with --patchset, or loose patches with --patch")
        if self.name_pattern is not None and not self.patches:
            raise OptionError("--name-pattern goes with loose patches: give them with --patch")
        if self.method is not None:
            check_prior_goes_with(self.method, self.bayes)
        _check_table(self.bayes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRequest:
    """Work on one shard of a scan that ``shards plan`` wrote into a folder."""

    folder: Annotated[str, argument("DIR", "Folder of the job.", reads="file")]
    shard: Annotated[int, option("--shard", metavar="K", help="Which shard, from 0.", least=0)] = 0
    of: Annotated[int, option("--of", metavar="N", help="Of how many.", least=1)] = 1

    def __post_init__(self) -> None:
        check_choices(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """Make the result of a scan whose shards are finished."""

    folder: Annotated[str, argument("DIR", "Folder of the job.", reads="file")]
    others: Annotated[
        tuple[str, ...],
        argument("[DIR]...", "Further folders, which other shards wrote.", reads="file"),
    ] = ()
    couplings: CouplingRequest = NO_MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalRequest:
    """How surprising the largest excess of a scan is; ``output=None`` keeps nothing."""

    source: Annotated[
        str,
        argument(
            "SOURCE",
            "Folder of a finished scan (scan -o); or a built search, or an HS3 document: they are "
            "scanned first.",
            reads="file",
            scan_folder=True,
        ),
    ]
    data: Events = ()
    output: Folder = None
    n_toys: Annotated[
        int,
        option(
            "--toys",
            metavar="N",
            help="Toys of the whole spectrum; rounded up to whole blocks.",
            panel=TOYS,
            least=1,
        ),
    ] = 10_000  # fmt: skip
    seed: Seed = 1
    extrapolate: Annotated[
        bool, option("--extrapolate", help="Follow the tail beyond the toys; it is marked.")
    ] = False
    blind: Blind = None
    cluster: Cluster = None
    workers: Workers = None

    def __post_init__(self) -> None:
        check_choices(self)


def _luminosities(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise OptionError(f"--lumi {text}: give numbers separated by commas") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRequest:
    """Expected limits at other luminosities, in 1/fb."""

    source: Source
    luminosities_ifb: Annotated[
        tuple[float, ...],
        option(
            "--lumi", metavar="LIST", help="Luminosities, 1/fb, such as 9,50,200,50000.",
            read=_luminosities,
        ),
    ]  # fmt: skip
    patchset: Points = None
    output: Folder = None
    method: Method = None
    cl: Level = None
    systematics: Annotated[
        str,
        option(
            "--systematics", metavar="HOW", kind="systematics",
            choices=("same", "statistical", "none"),
            help="same (relative errors stay), statistical (they fall with the root of the "
            "luminosity) or none.",
        ),
    ] = "same"  # fmt: skip
    bayes: BayesSettings = _AS_USUAL
    couplings: CouplingRequest = NO_MODEL
    luminosity_ifb: Luminosity = None
    cluster: Cluster = None
    workers: Workers = None

    def __post_init__(self) -> None:
        """Check what can be checked without the files.

        Raises
        ------
        OptionError
            A value out of range.
        """
        check_choices(self)
        _check_luminosity(self.luminosity_ifb)
        _check_table(self.bayes)
        if not self.luminosities_ifb or any(not x > 0.0 for x in self.luminosities_ifb):
            raise OptionError("--lumi: give luminosities above zero, in 1/fb")
        if self.cl is not None:
            check_level(self.cl, self.method)
