"""Options that several verbs share, each written once."""

from typing import Annotated

import typer

from darkstats import workflows
from darkstats.errors import OptionError

__all__ = [
    "AddToys",
    "Blind",
    "Calculator",
    "Csv",
    "Data",
    "Efficiency",
    "Engine",
    "Expected",
    "Interpolation",
    "Json",
    "LoosePatches",
    "Mask",
    "Measurement",
    "NamePattern",
    "OutputFile",
    "Patch",
    "PatchSetFile",
    "Plot",
    "Poi",
    "PoiLower",
    "Point",
    "Prior",
    "PriorRange",
    "Referee",
    "Seed",
    "Simulated",
    "Threads",
    "Toys",
    "UrPrior",
    "WorkspaceFile",
    "bayes_request",
]

_LIKELIHOOD = "Likelihood"
_TOYS = "Toys"
_OUTPUT = "Output"
_BAYES = "Bayes (--method bayes)"

WorkspaceFile = Annotated[
    str,
    typer.Argument(
        metavar="WORKSPACE",
        help="JSON, JSON.gz, or ARCHIVE[:MEMBER] of a HEPData record; - reads standard input. An "
        "HS3 document of unbinned likelihoods, too.",
        show_default=False,
    ),
]
Patch = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--patch", metavar="FILE", help="JSON patch (RFC 6902); repeatable.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
PatchSetFile = Annotated[
    str | None,
    typer.Option("--patchset", metavar="FILE", help="Patch set.", rich_help_panel=_LIKELIHOOD),
]
LoosePatches = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--patch", metavar="FILE",
        help="Patches, one for each hypothesis, in the place of a patch set; repeatable. A pattern "
        "in quotes names many: 'patch.*.json', record.tar.gz:'RegionA/patch.*.json'.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
NamePattern = Annotated[
    str | None,
    typer.Option(
        "--name-pattern", metavar="RULE",
        help="Where values stand in the names of patches: 'patch.sbottom_{m_sb}_{m_n1}'.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Point = Annotated[
    str | None,
    typer.Option(
        "--point", metavar="NAME",
        help="Point of the patch set, or analysis of an HS3 document: its name, or values 1300,60.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Measurement = Annotated[
    str | None,
    typer.Option(
        "--measurement", metavar="NAME", help="Measurement; the first one by default.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Poi = Annotated[
    str | None,
    typer.Option(
        "--poi", metavar="NAME", help="Parameter of interest; that of the measurement by default.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Interpolation = Annotated[
    str | None,
    typer.Option(
        "--interpolation", metavar="CODES",
        help="Interpolation codes. \\[default: normsys=code4,histosys=code4p]",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Mask = Annotated[
    list[str] | None,
    typer.Option(
        "--mask", metavar="CHANNEL", help="Leave this channel's bins out; repeatable.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="FILE",
        help='Other observed counts: {"channel": \\[counts]}; for an unbinned model events as '
        ".parquet, .root, .csv or .npz, or the folder of a build with --events.",
        rich_help_panel=_LIKELIHOOD,
    ),
]  # fmt: skip
Blind = Annotated[
    bool | None,
    typer.Option(
        "--blind/--unblind",
        help="Expected values only, from Asimov data; data stay closed. Events of an unbinned "
        "model stay closed unless they are marked as simulated, or --unblind is given.",
        rich_help_panel=_LIKELIHOOD, show_default=False,
    ),
]  # fmt: skip
Simulated = Annotated[
    bool | None,
    typer.Option(
        "--simulated/--measured",
        help="Say what the counts are, for figures; else NAME.meta.json says.",
        rich_help_panel=_LIKELIHOOD, show_default=False,
    ),
]  # fmt: skip
PoiLower = Annotated[
    float | None,
    typer.Option(
        "--poi-lower", metavar="VALUE",
        help="Lower bound of the signal strength in the free fit, negative; for q and t only.",
    ),
]  # fmt: skip
Calculator = Annotated[
    str,
    typer.Option(
        "--calculator", metavar="NAME",
        help="auto, asymptotic or toys. auto gives the asymptotic number.",
    ),
]  # fmt: skip
Prior = Annotated[
    str,
    typer.Option(
        "--prior", metavar="PRIOR",
        help="flat[:LOW,HIGH], coupling:POWER[,REFERENCE[,HIGHEST]], log-flat:LOW,HIGH, jeffreys "
        "or table:FILE.".replace("[", "\\["),
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="NAME",
        help="auto, quadrature, laplace or nuts; zfit evaluates an unbinned likelihood by zfit.",
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
Expected = Annotated[
    str,
    typer.Option(
        "--expected", metavar="NAME",
        help="Background-only outcomes: conditional-mle, prior-predictive or none.",
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
Efficiency = Annotated[
    str,
    typer.Option(
        "--efficiency", metavar="NAME",
        help="Prior of a factor on the signal: log-normal, gamma or truncated-normal.",
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
UrPrior = Annotated[
    str,
    typer.Option(
        "--ur-prior", metavar="NAME", help="Of Poisson-constrained parameters: 1/x or flat.",
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
PriorRange = Annotated[
    list[str] | None,
    typer.Option(
        "--prior-range", metavar="NAME=LOW,HIGH",
        help="Edges of the flat prior of a parameter without constraint; repeatable.",
        rich_help_panel=_BAYES,
    ),
]  # fmt: skip
Toys = Annotated[
    int | None,
    typer.Option(
        "--toys",
        metavar="N",
        help="Toys per hypothesis. \\[default: 10000; 400 with --method bayes]",
        rich_help_panel=_TOYS,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="S", help="Seed of the toys. \\[default: 0]",
                 rich_help_panel=_TOYS),
]  # fmt: skip
AddToys = Annotated[
    str | None,
    typer.Option(
        "--add-toys", metavar="RESULT",
        help="Add --toys toys to those of this earlier record (JSON).", rich_help_panel=_TOYS,
    ),
]  # fmt: skip
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", help="Threads; numbers do not depend on it. \\[default: all]",
        rich_help_panel=_TOYS,
    ),
]  # fmt: skip
Referee = Annotated[
    str | None,
    typer.Option(
        "--referee", metavar="NAME",
        help="Repeat the quoted number with pyhf; evaluate it with zfit if it is unbinned.",
        rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON record, not a table.", rich_help_panel=_OUTPUT),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="Write the record to this file, whole or not.",
        rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
Plot = Annotated[
    list[str] | None,
    typer.Option(
        "--plot", metavar="[KIND=]FILE", help="Draw a figure (.pdf, .png, .svg); repeatable.",
        rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
BinGammas = Annotated[
    bool,
    typer.Option(
        "--bin-gammas", help="Show statistical errors of single bins in pulls and correlation.",
        rich_help_panel=_OUTPUT,
    ),
]  # fmt: skip
Csv = Annotated[
    bool,
    typer.Option(
        "--csv", help="Write the numbers of each figure beside it.", rich_help_panel=_OUTPUT
    ),
]


def _range(text: str) -> tuple[str, float, float]:
    """Read NAME=LOW,HIGH."""
    name, equals, numbers = text.rpartition("=")
    parts = numbers.split(",")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        equals = ""
    if not (equals and name):
        raise OptionError(f"cannot read the range {text!r}; write NAME=LOW,HIGH")
    return name, low, high


def likelihood_engine(engine: str) -> tuple[str, str]:
    """What evaluates the likelihood, and what integrates the posterior: one option names either."""
    return (engine, "auto") if engine in {"newton", "zfit"} else ("auto", engine)


def bayes_request(
    prior: str,
    engine: str,
    expected: str,
    efficiency: str,
    ur_prior: str,
    prior_range: list[str] | None,
) -> workflows.BayesRequest:
    """Priors and engine, from the options of :data:`Prior` to :data:`PriorRange`."""
    return workflows.BayesRequest(
        prior=prior,
        engine=engine,
        expected=expected,
        efficiency=efficiency,
        ur_prior=ur_prior,
        ranges=tuple(_range(text) for text in prior_range or ()),
    )
