"""Smaller likelihoods with their price: simplified ones, and those without small uncertainties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from darkstats.errors import NotCertifiedError, OptionError
from darkstats.options import check_choices, option
from darkstats.shown import Shown
from darkstats.workflows.document_requests import Report, check_fraction
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.requests import LARGEST_SEED, TOYS, ModelRequest, check_level

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.inference.simplified import LimitComparison, SimplifiedLikelihood, TimedLimit
    from darkstats.workflows.document_requests import PruneRequest
    from darkstats.workflows.likelihoods import Likelihood
    from darkstats.workspace import Workspace
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Simplified", "SimplifyRequest", "prune_small", "simplify"]

Tolerance = Annotated[
    float,
    option(
        "--tolerance", metavar="FRACTION",
        help="Refuse to write where the observed or an expected limit changes by more.",
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SimplifyRequest:
    """A simplified likelihood, no worse than a tolerance.

    ``keep`` names the channels whose bins stay (empty: all), ``response="auto"`` takes of linear
    and quadratic what changes the limits least.
    """

    model: ModelRequest
    keep: Annotated[
        tuple[str, ...],
        option(
            "--keep", metavar="CHANNEL", usual="all",
            help="Keep the bins of this channel; the counts of all others go into the covariance. "
            "Repeatable.",
        ),
    ] = ()  # fmt: skip
    response: Annotated[
        str,
        option(
            "--response", metavar="NAME", kind="response", choices=("auto", "linear", "quadratic"),
            help="How backgrounds follow their eigen-nuisances: {choices}. auto takes what changes "
            "the limits least.",
        ),
    ] = "auto"  # fmt: skip
    moments: Annotated[
        str,
        option(
            "--moments", metavar="NAME", kind="source of moments", choices=("fit", "toys"),
            help="Covariance of the fit, or of parameters drawn from it: {choices}.",
        ),
    ] = "fit"  # fmt: skip
    n_toys: Annotated[
        int,
        option(
            "--toys", metavar="N", help="Points drawn for --moments toys.", panel=TOYS, least=100
        ),
    ] = 5000
    seed: Annotated[
        int,
        option(
            "--seed", metavar="S", help="Seed of these points.", panel=TOYS, least=0,
            most=LARGEST_SEED,
        ),
    ] = 0  # fmt: skip
    cl: Annotated[
        float, option("--cl", metavar="LEVEL", help="Level of the limits that are compared.")
    ] = 0.95
    tolerance: Tolerance = 0.1
    report: Report = None

    def __post_init__(self) -> None:
        check_choices(self)
        check_level(self.cl, None)
        check_fraction(self.tolerance, "--tolerance")
        if self.model.blind:
            raise OptionError("a simplified likelihood holds the observed counts: drop --blind")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Simplified(Shown):
    """A simplified likelihood, and what it changes."""

    in_a_line: ClassVar = "parameters largest_change"

    likelihood: SimplifiedLikelihood
    fidelity: LimitComparison

    @property
    def parameters(self) -> str:
        """How many are free, before and after."""
        return f"{self.likelihood.parameters_before} -> {self.likelihood.parameters_after}"

    @property
    def largest_change(self) -> float | None:
        """Of the observed and the expected limits, relative; None where one has no limit."""
        return self.fidelity.largest


def simplify(request: SimplifyRequest, shell: Shell | None = None) -> Outcome[Simplified]:
    """A simplified likelihood with its fidelity: the record *is* the workspace.

    Raises
    ------
    InputError
        The request cannot be met.
    NotCertifiedError
        It cannot be made, or changes the limits by more than the tolerance.
    """
    from darkstats.inference.simplified import RESPONSES, timed_limit
    from darkstats.report.sidecar_carrying import carried, sidecar_document
    from darkstats.report.writing import require_writable
    from darkstats.workflows.inputs import load
    from darkstats.workflows.unbinned_inputs import holds_hs3

    shell = shell or Shell()
    if holds_hs3(request.model.workspace.source):
        raise OptionError(
            f"{request.model.workspace.file} is an unbinned likelihood: only a HistFactory "
            "workspace can be simplified"
        )
    if request.report is not None:
        require_writable(request.report)
    likelihood = load(request.model, shell)
    responses = RESPONSES if request.response == "auto" else (request.response,)
    _, model = likelihood.histfactory("a simplified likelihood")
    if model.poi_index is None:
        raise OptionError(
            f"{request.model.workspace.file} has no signal whose limit could be compared: apply "
            "a patch with -p, or --patchset and --point"
        )
    with shell.step("limit of the full likelihood"):
        full = timed_limit(model, cl=request.cl, options=likelihood.options)
    tried: list[Simplified] = []
    failures: list[str] = []
    for response in responses:
        with shell.step(f"simplifying, {response} response"):
            try:
                tried.append(_simplified(request, likelihood, response, full))
            except NotCertifiedError as error:
                failures.append(f"{response} response: {error}")
    measured = [(one.fidelity.largest, k) for k, one in enumerate(tried)]
    known = [(change, k) for change, k in measured if change is not None]
    if not known:
        told = {said.partition(": ")[2] for said in failures}
        missing = told.pop() if len(told) == 1 else "; ".join(failures)
        missing = missing or ("one of the two likelihoods has a limit where the other has none")
        raise NotCertifiedError(f"no simplified likelihood is written: {missing}")
    change, best = min(known)
    found = tried[best]
    if change > request.tolerance:
        raise NotCertifiedError(
            "no simplified likelihood is written: the best of "
            f"{' and '.join(one.likelihood.response for one in tried)} response changes a limit by "
            f"{100.0 * change:.3g} %, more than {100.0 * request.tolerance:.3g} %; --tolerance "
            "allows more, --keep chooses channels"
        )
    inputs = likelihood.inputs

    def sheet() -> RenderableType:
        from darkstats.report.simplify_tables import simplify_sheet

        return simplify_sheet(found.likelihood, found.fidelity, inputs)

    def report(path: str) -> None:
        from darkstats.report.simplify_records import simplify_record
        from darkstats.report.writing import json_text, write_text

        plain = simplify_record(
            found.likelihood, found.fidelity, inputs, tolerance=request.tolerance
        )
        plain["workspace_warnings"] = list(likelihood.workspace_warnings)
        write_text(path, json_text(plain))

    def record() -> JsonObject:
        return found.likelihood.workspace.document

    labels = sidecar_document(request.model.workspace.file, likelihood.own_signal)
    return Outcome(
        result=found,
        record=record,
        sheet=sheet,
        sidecar=carried(labels, found.likelihood.workspace),
        files={} if request.report is None else {request.report: report},
    )


def _simplified(
    request: SimplifyRequest, likelihood: Likelihood, response: str, full: TimedLimit
) -> Simplified:
    from darkstats.inference.simplified import comparison, timed_limit
    from darkstats.inference.simplified import simplify as make
    from darkstats.model import compile_workspace

    workspace, model = likelihood.histfactory("a simplified likelihood")
    made = make(
        workspace,
        model,
        keep=request.keep,
        response=response,
        moments=request.moments,
        n_toys=request.n_toys,
        seed=request.seed,
        options=likelihood.options,
    )
    small = compile_workspace(made.workspace)  # by the usual codes, as its readers will
    limit = timed_limit(small, cl=request.cl, options=likelihood.options)
    return Simplified(likelihood=made, fidelity=comparison(full, limit))


def prune_small(request: PruneRequest, workspace: Workspace, shell: Shell) -> Outcome[Workspace]:
    """A workspace without the nuisance parameters that matter least, and what that changes.

    Raises
    ------
    InputError
        The workspace has no signal, or nothing stays below the threshold.
    NotCertifiedError
        A fit or a limit cannot be certified.
    """
    from darkstats.fit.warming import ensure_compiled, kernels_are_compiled
    from darkstats.inference.pruning import prune_below
    from darkstats.report.sidecar_carrying import carried, sidecar_document
    from darkstats.report.writing import require_writable
    from darkstats.workflows.inputs import workspace_inputs
    from darkstats.workflows.outcome import announce_compiling

    if request.report is not None:
        require_writable(request.report)
    if not kernels_are_compiled():
        announce_compiling(shell)
        ensure_compiled()
    with shell.step("measuring what may go"):
        found = prune_below(workspace, request.threshold or 0.0)
    sidecar = sidecar_document(request.workspace.file, workspace.own_signal)
    inputs = workspace_inputs(workspace, shell, simulated=sidecar.get("simulated"))

    def sheet() -> RenderableType:
        from darkstats.report.simplify_tables import pruned_sheet

        return pruned_sheet(found, inputs)

    def report(path: str) -> None:
        from darkstats.report.simplify_records import pruned_record
        from darkstats.report.writing import json_text, write_text

        write_text(path, json_text(pruned_record(found, inputs)))

    return Outcome(
        result=found.workspace,
        record=lambda: found.workspace.document,
        sheet=sheet,
        files={} if request.report is None else {request.report: report},
        sidecar=carried(sidecar, found.workspace),
    )
