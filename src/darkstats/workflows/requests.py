"""What a user asks for: one frozen request for each task. Making one computes nothing.

A field that a user may choose says once how it is spelled, what it means and which values it takes
(:mod:`darkstats.options`). Checks that need no workspace are made here, so that a shell hears of a
bad request at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from darkstats.errors import OptionError
from darkstats.options import argument, check_choices, option
from darkstats.scan.settings import BayesSettings
from darkstats.workflows.coupling_requests import NO_MODEL_AT_MASS, CouplingAtMass
from darkstats.workspace.patchset import PatchSet
from darkstats.workspace.spec import Workspace

__all__ = [
    "BAYES_LEVEL",
    "BayesSettings",
    "GoodnessRequest",
    "HypoTestRequest",
    "LimitOptions",
    "LimitRequest",
    "ModelRequest",
    "SignificanceRequest",
    "ToyRequest",
    "WorkspaceRequest",
    "check_level",
    "check_posterior_options",
    "check_prior_goes_with",
    "file_of",
]

LIKELIHOOD, TOYS, OUTPUT = "Likelihood", "Toys", "Output"
"""Groups of the help."""
LARGEST_SEED = 2**63 - 1
_FLAT = BayesSettings()
BAYES_LEVEL = 0.90
"""Credibility where none is given; the confidence level is 0.95 then."""

Patches = Annotated[
    tuple[str, ...],
    option(
        "-p", "--patch", metavar="FILE", reads="file", help="JSON patch (RFC 6902); repeatable.",
        panel=LIKELIHOOD,
    ),
]  # fmt: skip
_PATCHSET = option("--patchset", metavar="FILE", reads="file", help="Patch set.", panel=LIKELIHOOD)
PatchSetFile = Annotated[str | None, _PATCHSET]
Points = Annotated[str | PatchSet | None, _PATCHSET]
LoosePatches = Annotated[
    tuple[str, ...],
    option(
        "-p", "--patch", metavar="FILE", reads="file", panel=LIKELIHOOD,
        help="Patches, one for each hypothesis, in the place of a patch set; repeatable. A pattern "
        "in quotes names many: 'patch.*.json', record.tar.gz:'RegionA/patch.*.json'.",
    ),
]  # fmt: skip
NamePattern = Annotated[
    str | None,
    option(
        "--name-pattern", metavar="RULE", panel=LIKELIHOOD,
        help="Where values stand in the names of patches: 'patch.sbottom_{m_sb}_{m_n1}'.",
    ),
]  # fmt: skip
Referee = Annotated[
    str | None,
    option(
        "--referee", metavar="NAME", panel=OUTPUT, kind="referee", choices=("pyhf", "zfit"),
        help="Repeat the quoted number with pyhf; evaluate it with zfit if it is unbinned.",
    ),
]  # fmt: skip
LimitStatistic = Annotated[
    str,
    option(
        "--test-stat", metavar="NAME", kind="test statistic", choices=("qtilde", "q"),
        help="{choices}.",
    ),
]  # fmt: skip
Band = Annotated[
    str,
    option(
        "--band", metavar="NAME", kind="band", choices=("root", "fixed-sigma"),
        help="Expected band: {choices}.",
    ),
]  # fmt: skip
Calculator = Annotated[
    str,
    option(
        "--calculator", metavar="NAME", kind="calculator", choices=("auto", "asymptotic", "toys"),
        help="{choices}. auto gives the asymptotic number.",
    ),
]  # fmt: skip
LowerBound = Annotated[
    float | None,
    option(
        "--poi-lower", metavar="VALUE",
        help="Lower bound of the signal strength in the free fit, negative; for q and t only.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceRequest:
    """Which document, and what is patched onto it."""

    source: Annotated[
        str | Workspace,
        argument(
            "WORKSPACE",
            "JSON, JSON.gz, or ARCHIVE[:MEMBER] of a HEPData record; - reads standard input. An "
            "HS3 document of unbinned likelihoods, too.",
            reads="file",
        ),
    ] = "-"
    patches: Patches = ()
    patchset: Points = None
    point: Annotated[
        str | None,
        option(
            "--point", metavar="NAME", panel=LIKELIHOOD,
            help="Point of the patch set, or analysis of an HS3 document: its name, or values "
            "1300,60.",
        ),
    ] = None  # fmt: skip

    @property
    def file(self) -> str:
        """Where the document comes from: the file that its sidecar lies beside."""
        return file_of(self.source)


def file_of(source: str | Workspace) -> str:
    """Name of the file of a workspace, or of the one that it was read from."""
    return source if isinstance(source, str) else source.source.partition(" + ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Which likelihood.

    ``blind=None`` opens counts, but events of an unbinned model stay closed unless they are marked
    as simulated. ``simulated=None`` asks the sidecar ``*.meta.json``. The engine ``"newton"`` means
    the compiled kernels, ``"zfit"`` zfit's own loss, for unbinned models.
    """

    workspace: WorkspaceRequest
    poi: Annotated[
        str | None,
        option(
            "--poi", metavar="NAME", panel=LIKELIHOOD,
            help="Parameter of interest; that of the measurement by default.",
        ),
    ] = None  # fmt: skip
    measurement: Annotated[
        str | None,
        option(
            "--measurement", metavar="NAME", help="Measurement; the first one by default.",
            panel=LIKELIHOOD,
        ),
    ] = None  # fmt: skip
    interpolation: Annotated[
        str | None,
        option(
            "--interpolation", metavar="CODES", help="Interpolation codes.", panel=LIKELIHOOD,
            usual="normsys=code4,histosys=code4p",
        ),
    ] = None  # fmt: skip
    masked: Annotated[
        tuple[str, ...],
        option(
            "--mask", metavar="CHANNEL", help="Leave this channel's bins out; repeatable.",
            panel=LIKELIHOOD,
        ),
    ] = ()  # fmt: skip
    data: Annotated[
        str | None,
        option(
            "--data", metavar="FILE", reads="file", panel=LIKELIHOOD,
            help='Other observed counts: {"channel": [counts]}; for an unbinned model events as '
            ".parquet, .root, .csv or .npz, or the folder of a build with --events.",
        ),
    ] = None  # fmt: skip
    blind: Annotated[
        bool | None,
        option(
            "--blind/--unblind", panel=LIKELIHOOD,
            help="Expected values only, from Asimov data; data stay closed. Events of an unbinned "
            "model stay closed unless they are marked as simulated, or --unblind is given.",
        ),
    ] = None  # fmt: skip
    simulated: Annotated[
        bool | None,
        option(
            "--simulated/--measured", panel=LIKELIHOOD,
            help="Say what the counts are, for figures; else NAME.meta.json says.",
        ),
    ] = None  # fmt: skip
    threads: Annotated[
        int | None,
        option(
            "--threads", metavar="N", panel=TOYS, least=1, usual="all",
            help="Threads; numbers do not depend on it.",
        ),
    ] = None  # fmt: skip
    engine: Annotated[
        str,
        option(
            "--engine", metavar="NAME", kind="engine", choices=("auto", "newton", "zfit"),
            help="zfit evaluates an unbinned likelihood by zfit.",
        ),
    ] = "auto"  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        if self.blind and self.data is not None:
            raise OptionError("--blind keeps data out: do not give --data with it")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyRequest:
    """How many toys per hypothesis, from which seed; and an earlier result to add them to."""

    n_toys: Annotated[
        int | None,
        option(
            "--toys", metavar="N", help="Toys per hypothesis.", panel=TOYS, least=1,
            usual="10000; 400 with --method bayes",
        ),
    ] = None  # fmt: skip
    seed: Annotated[
        int | None,
        option(
            "--seed", metavar="S", help="Seed of the toys.", panel=TOYS, usual="0", least=0,
            most=LARGEST_SEED,
        ),
    ] = None  # fmt: skip
    add_to: Annotated[
        str | None,
        option(
            "--add-toys", metavar="RESULT", reads="file", panel=TOYS,
            help="Add --toys toys to those of this earlier record (JSON).",
        ),
    ] = None  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)


def _check_toys_go_with(calculator: str, toys: ToyRequest) -> None:
    if calculator != "toys" and (toys.n_toys is not None or toys.add_to is not None):
        raise OptionError(
            f"--toys and --add-toys go with --calculator toys, not with {calculator}: the default "
            "never replaces the asymptotic number"
        )


def check_level(cl: float, method: str | None) -> None:
    """Check that a level can be one: above 1/2, or of a posterior above 0.

    Raises
    ------
    OptionError
        It cannot.
    """
    lowest = 0.0 if method == "bayes" else 0.5
    if not lowest < cl < 1.0:
        raise OptionError(
            f"--cl {cl:g}: the confidence level must lie between {lowest:g} and 1"
            + (f" (did you mean {cl / 100:g}?)" if lowest < cl / 100 < 1.0 < cl else "")
        )


def check_prior_goes_with(method: str, bayes: BayesSettings) -> None:
    """Check that nothing of a posterior is asked of another method.

    Raises
    ------
    OptionError
        It is.
    """
    if method != "bayes" and bayes != _FLAT:
        raise OptionError(
            "a prior goes with --method bayes, and so does an engine or what else belongs to a "
            f"posterior, not with {method}"
        )


def check_posterior_options(
    *, calculator: str | None, test_stat: str, band: str, adds_toys: bool = False
) -> None:
    """Check that nothing of a frequentist limit is asked of a posterior.

    Raises
    ------
    OptionError
        It is.
    """
    if calculator is not None:
        raise OptionError(
            "a Bayesian limit comes from the posterior: drop --calculator; --toys N says how "
            "many toys stand behind an expected limit that cannot be enumerated"
        )
    if test_stat != "qtilde" or band != "root" or adds_toys:
        raise OptionError(
            "--test-stat, --band and --add-toys belong to frequentist limits, not to --method bayes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """What a limit and a scan of limits are both asked: an option that stands here, both have."""

    test_stat: LimitStatistic = "qtilde"
    band: Band = "root"
    bayes: BayesSettings = _FLAT


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRequest(LimitOptions):
    """An upper limit, or an interval (``method="fc"``).

    ``cl`` is 0.95 by default, and 0.90 for ``method="bayes"``: see :attr:`level`. ``method`` is
    ``"cls"`` by default, see :attr:`by`; who gives it has chosen it, which is another thing.
    """

    model: ModelRequest
    cl: Annotated[
        float | None,
        option(
            "--cl", metavar="LEVEL", usual="0.95; 0.90 with --method bayes",
            help="Confidence level, in (0.5, 1); of a posterior, in (0, 1).",
        ),
    ] = None  # fmt: skip
    method: Annotated[
        str | None,
        option(
            "--method", metavar="NAME", kind="method", help="{choices}.", usual="cls",
            choices=("cls", "clsb", "pcl", "fc", "bayes"),
        ),
    ] = None  # fmt: skip
    calculator: Calculator = "auto"
    poi_lower: LowerBound = None
    toys: ToyRequest = ToyRequest()
    couplings: CouplingAtMass = NO_MODEL_AT_MASS
    referee: Referee = None
    scan_points: int = 41

    @property
    def by(self) -> str:
        """The method: that asked for, or CLs."""
        return self.method or "cls"

    @property
    def level(self) -> float:
        """Confidence level, or posterior probability below the limit."""
        if self.cl is not None:
            return self.cl
        return BAYES_LEVEL if self.by == "bayes" else 0.95

    def __post_init__(self) -> None:
        check_choices(self)
        if self.by == "fc":
            if self.calculator == "asymptotic":
                raise OptionError("Feldman-Cousins intervals are made by toys: drop --calculator")
            if self.model.blind:
                raise OptionError("a Feldman-Cousins interval needs data: it cannot be blind")
        elif self.by == "bayes":
            check_posterior_options(
                calculator=None if self.calculator == "auto" else self.calculator,
                test_stat=self.test_stat,
                band=self.band,
                adds_toys=self.toys.add_to is not None,
            )
        else:
            _check_toys_go_with(self.calculator, self.toys)
        check_prior_goes_with(self.by, self.bayes)
        check_level(self.level, self.by)
        _check_lower(self.poi_lower, self.test_stat, ("q",))


def _check_lower(poi_lower: float | None, test_stat: str, allowed: tuple[str, ...]) -> None:
    if poi_lower is None:
        return
    if test_stat not in allowed:
        raise OptionError(
            f"the lower bound of the signal strength is part of {test_stat}; it can be chosen for "
            f"{' and '.join(allowed)} only"
        )
    if not poi_lower < 0.0:
        raise OptionError(f"--poi-lower must be negative, got {poi_lower:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HypoTestRequest:
    """A test of one signal strength; ``mu`` is 1 by default, and 0 for q0: see :attr:`tested`."""

    model: ModelRequest
    mu: Annotated[
        float | None,
        option("--mu", metavar="VALUE", help="Tested signal strength.", usual="1; 0 for q0"),
    ] = None
    calculator: Calculator = "asymptotic"
    test_stat: Annotated[
        str,
        option(
            "--test-stat", metavar="NAME", kind="test statistic", help="{choices}.",
            choices=("qtilde", "q", "q0", "t", "ttilde"),
        ),
    ] = "qtilde"  # fmt: skip
    poi_lower: LowerBound = None
    toys: ToyRequest = ToyRequest()
    referee: Referee = None

    @property
    def tested(self) -> float:
        """The signal strength."""
        if self.mu is not None:
            return self.mu
        return 0.0 if self.test_stat == "q0" else 1.0

    def __post_init__(self) -> None:
        check_choices(self)
        _check_toys_go_with(self.calculator, self.toys)
        _check_lower(self.poi_lower, self.test_stat, ("q", "t"))
        if not math.isfinite(self.tested):
            raise OptionError(f"the tested signal strength must be finite, got {self.mu}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignificanceRequest:
    """Significance of an excess."""

    model: ModelRequest
    calculator: Calculator = "asymptotic"
    uncapped: Annotated[
        bool, option("--uncapped", help="Let the signal strength be negative; sign Z by it.")
    ] = False
    toys: ToyRequest = ToyRequest()
    referee: Referee = None

    def __post_init__(self) -> None:
        check_choices(self)
        _check_toys_go_with(self.calculator, self.toys)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodnessRequest:
    """Saturated goodness of fit."""

    model: ModelRequest
    calculator: Calculator = "asymptotic"
    toys: ToyRequest = ToyRequest()

    def __post_init__(self) -> None:
        check_choices(self)
        _check_toys_go_with(self.calculator, self.toys)
        if self.model.blind:
            raise OptionError("a goodness of fit compares with data: it cannot be blind")
