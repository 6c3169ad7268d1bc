"""How surprising the largest excess of a scan is: ``global``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, NotCertifiedError, OptionError, in_words
from darkstats.report.scan_table import SCAN_FILE, is_asimov
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.scan_requests import MassScanRequest
from darkstats.workflows.scans import first_kernel, run_blocks, scan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.look_elsewhere import Comparison, GlobalSignificance
    from darkstats.look_elsewhere.spectrum_job import Tallies
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.workflows.scan_requests import GlobalRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["GLOBAL_FILE", "global_significance"]

GLOBAL_FILE = "global.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """What a finished scan found: local significances, and which one is the largest.

    ``facts`` are what its record says of the search, ``statement`` how many hypotheses have a
    result; ``bias`` is the significance of the expected spectrum alone where the excess is.
    """

    facts: Mapping[str, Any]
    statement: str
    significances: Mapping[str, float]
    name: str
    values: Sequence[float | str]
    significance: float
    bias: float | None


def _observed(folder: Path) -> _Observed:
    """Read what a scan found.

    Raises
    ------
    InputError
        The scan is not finished, or blind.
    NotCertifiedError
        No local significance is certified.
    """
    path = folder / SCAN_FILE
    try:
        record: JsonObject = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no result of a finished scan ({in_words(error)}); "
            f"run darkstats scan … -o {folder}"
        ) from None
    if record.get("blind"):
        raise InputError(f"{path}: the scan looked at no data: there is no excess to judge")
    if record["summary"]["largest_excess"] is None:
        first = next(iter(record["points"]), {"name": "none"})
        raise NotCertifiedError(
            f"{path}: none of {len(record['points'])} hypotheses has a certified local "
            f"significance, so there is no excess to judge; the first one, {first['name']}: "
            f"{first.get('significance_reason') or 'no reason is known'}"
        )
    top = record["summary"]["largest_excess"]
    return _Observed(
        facts={key: record[key] for key in ("name", "title", "simulated", "data", "labels")},
        statement=_statement(record),
        significances={
            str(point["name"]): float(point["significance"])
            for point in record["points"]
            if point["significance"] is not None
        },
        name=top["name"],
        values=top["values"],
        significance=top["significance"],
        bias=top.get("expected_spectrum_significance"),
    )


def global_significance(request: GlobalRequest, shell: Shell | None = None) -> Outcome[Comparison]:
    """Compare methods of the look-elsewhere effect on a scan, which is run first if need be.

    Raises
    ------
    InputError
        There is no finished scan and no built search, or the masses are none.
    ShardError
        A block could not be computed or kept; what is finished is kept.
    """
    from darkstats.searches.output import RECORD_NAME
    from darkstats.workflows.unbinned_inputs import holds_hs3

    shell = shell or Shell()
    with ExitStack() as stack:
        folder = Path(request.source)
        if (folder / RECORD_NAME).exists() or holds_hs3(request.source):
            output = request.output or stack.enter_context(TemporaryDirectory())
            asked = MassScanRequest(
                source=request.source,
                data=request.data,
                blind=request.blind,
                output=output,
                method="cls",
                cluster=request.cluster,
                workers=request.workers,
            )
            scan(asked, replace(shell, kinds=()))  # the figures are those of the trials
            folder = Path(output)
        elif request.output is not None:
            raise OptionError("a scan has a folder of its own: drop -o")
        return _of_scan(folder, request, shell)


def _of_scan(folder: Path, request: GlobalRequest, shell: Shell) -> Outcome[Comparison]:
    from darkstats.execution.store import BlockStore
    from darkstats.look_elsewhere import Comparison, with_local, without_fluctuation
    from darkstats.look_elsewhere.arrangement import arranged
    from darkstats.look_elsewhere.spectrum_job import collect_tallies, toys_job
    from darkstats.report.scan_records import global_record
    from darkstats.report.writing import json_text, write_text
    from darkstats.scan.job import hypotheses_of

    observed = _observed(folder)
    limits = BlockStore.open(folder).job
    hypotheses = hypotheses_of(limits)
    interpolation = str(limits.settings["interpolation"])
    if hypotheses.in_bins:
        first_kernel(shell)
    job = toys_job(
        limits, seed=request.seed, n_toys=request.n_toys, observed=observed.significances,
        hypotheses=hypotheses,
    )  # fmt: skip
    per_block = int(job.settings["toys_per_block"])
    store = BlockStore.create(folder / f"toys_seed_{request.seed}", job)
    thrown = job.n_blocks * per_block
    with shell.step("throwing toys of the spectrum", thrown, "toys") as step:
        blocks = run_blocks(
            job,
            store,
            cluster=request.cluster,
            workers=request.workers,
            shell=shell,
            progress=lambda n: step.advance(n * per_block),
        )
    tallies = collect_tallies([blocks[b] for b in range(job.n_blocks)])
    with shell.step("comparing methods"):
        z_local = observed.significance
        results, left_out = _methods(request, hypotheses, interpolation, tallies, z_local)
    names = [one.name for one in arranged(hypotheses)[0]]
    local = tallies.local.at(names.index(observed.name))
    if is_asimov(str(observed.facts["data"])):
        results = [without_fluctuation(result) for result in results]
    comparison = Comparison(results=tuple(with_local(result, local) for result in results))
    record = global_record(
        comparison,
        tallies,
        statement=observed.statement,
        facts=observed.facts,
        point={"name": observed.name, "values": observed.values},
        bias=observed.bias,
        local=local,
        names=names,
        not_computed=left_out,
        toys={"asked": request.n_toys, "thrown": thrown, "per_block": per_block},
        provenance={
            "job_sha256": job.digest,
            "inputs_sha256": job.inputs_digest,
            "seed": request.seed,
            "versions": job.settings["versions"],
        },
    )
    write_text(folder / GLOBAL_FILE, json_text(record))
    return _outcome(comparison, record, str(folder / GLOBAL_FILE))


def _statement(record: Mapping[str, Any]) -> str:
    """How many hypotheses have a result (earlier records have counts), and which no local p."""
    summary = record["summary"]
    counts = f"{summary['points'] - summary['failed']} of {summary['points']}"
    said = str(summary.get("statement") or f"{counts} hypotheses have a certified result")
    lost = [p for p in record["points"] if p["status"] == "ok" and p.get("p0") is None]
    if not lost:
        return said
    why = lost[0].get("p0_reason") or "no reason is known"
    return (
        f"{said}; {len(lost)} of them without a local p-value, the first one {lost[0]['name']}: "
        f"{why}: an excess there is not among those compared"
    )


def _methods(
    request: GlobalRequest,
    hypotheses: MassHypotheses,
    interpolation: str,
    tallies: Tallies,
    z_local: float,
) -> tuple[list[GlobalSignificance], list[str]]:
    """Results of all methods that apply, and why others do not."""
    from darkstats.look_elsewhere import (
        GaussianField,
        by_covariance,
        by_euler_characteristic,
        by_toys,
        by_up_crossings,
    )
    from darkstats.look_elsewhere.responses import responses_of
    from darkstats.look_elsewhere.window_spectrum import SpectrumContext

    results = [by_toys(tallies.maxima, z_local, extrapolate=request.extrapolate)]
    left_out = []
    by_levels = by_up_crossings if tallies.excursions.dimension == 1 else by_euler_characteristic
    results.append(by_levels(tallies.excursions, z_local))
    if tallies.auxiliary == "held":
        left_out.append("covariance: windows are counts, and too small for a Gaussian field")
        return results, left_out
    try:
        found = responses_of(SpectrumContext.of(hypotheses, interpolation))
        field = GaussianField.from_responses(found.values, expected=found.expected)
        results.append(by_covariance(field, z_local))
    except OptionError as error:
        left_out.append(f"covariance: {error}")
    return results, left_out


def _outcome(comparison: Comparison, record: JsonObject, where: str) -> Outcome[Comparison]:
    from darkstats.workflows.plot_requests import PlotRequest
    from darkstats.workflows.plots import global_outcome

    shown = global_outcome(PlotRequest(results=(where,)), record, where)

    def sheet() -> Any:  # noqa: ANN401 -- a table
        from darkstats.report.scan_sheets import global_sheet

        return global_sheet(record, comparison.rows(), where)

    invalid = dict.fromkeys(reason for found in comparison.results for reason in found.reasons)
    nothing = not any(found.valid for found in comparison.results)
    return Outcome(
        result=comparison,
        record=lambda: record,
        sheet=sheet,
        figures=shown.figures,
        uncertified=f"no method is valid here: {'; '.join(invalid)}" if nothing else "",
    )
