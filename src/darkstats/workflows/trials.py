"""How surprising the largest excess of a scan is: ``global``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError, OptionError
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.scan_requests import MassScanRequest
from darkstats.workflows.scans import SCAN_FILE, first_kernel, scan

if TYPE_CHECKING:
    from darkstats.look_elsewhere import Comparison, GlobalSignificance
    from darkstats.look_elsewhere.spectrum_job import Tallies
    from darkstats.workflows.scan_requests import GlobalRequest

__all__ = ["GLOBAL_FILE", "global_significance"]

GLOBAL_FILE = "global.json"


def _observed(folder: Path) -> dict[str, Any]:
    """Return the record of the scan.

    Raises
    ------
    InputError
        The scan is not finished, or blind.
    """
    path = folder / SCAN_FILE
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no result of a finished scan ({error}); run darkstats scan … -o {folder}"
        ) from None
    if record.get("blind") or record["summary"]["largest_excess"] is None:
        raise InputError(f"{path}: the scan looked at no data: there is no excess to judge")
    return record


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

    shell = shell or Shell()
    with ExitStack() as stack:
        folder = Path(request.source)
        if (folder / RECORD_NAME).exists():
            output = request.output or stack.enter_context(TemporaryDirectory())
            asked = MassScanRequest(
                source=request.source,
                output=output,
                method="cls",
                cluster=request.cluster,
                workers=request.workers,
            )
            scan(asked, shell)
            folder = Path(output)
        elif request.output is not None:
            raise OptionError("a scan has a folder of its own: drop -o")
        return _of_scan(folder, request, shell)


def _of_scan(folder: Path, request: GlobalRequest, shell: Shell) -> Outcome[Comparison]:
    from darkstats.execution.jobs import read_inputs
    from darkstats.execution.run import executor_of, run_job
    from darkstats.execution.store import BlockStore
    from darkstats.kernel import default_threads
    from darkstats.look_elsewhere import Comparison
    from darkstats.look_elsewhere.spectrum_job import TOYS, collect_tallies, toys_job
    from darkstats.report.scan_records import global_record
    from darkstats.report.writing import json_text, write_text
    from darkstats.scan.spectrum_toys import TOYS_PER_BLOCK

    observed = _observed(folder)
    limits = BlockStore.open(folder).job
    inputs = read_inputs(limits.inputs)
    interpolation = str(limits.settings["interpolation"])
    first_kernel(shell)
    job = toys_job(
        limits.inputs,
        limits.inputs_digest,
        seed=request.seed,
        n_toys=request.n_toys,
        interpolation=interpolation,
    )
    store = BlockStore.create(folder / f"toys_seed_{request.seed}", job)
    executor = executor_of(request.cluster, request.workers or default_threads())
    asked = job.n_blocks * TOYS_PER_BLOCK
    with shell.step("throwing toys of the spectrum", asked, "toys") as step:
        blocks = run_job(
            TOYS, job, executor, store=store, progress=lambda n: step.advance(n * TOYS_PER_BLOCK)
        )
    tallies = collect_tallies([blocks[b] for b in range(job.n_blocks)])
    top = observed["summary"]["largest_excess"]
    with shell.step("comparing methods"):
        results, left_out = _methods(request, inputs, interpolation, tallies, top["significance"])
    comparison = Comparison(results=tuple(results))
    facts = {key: observed[key] for key in ("name", "title", "simulated", "data", "labels")}
    record = global_record(
        comparison,
        tallies,
        facts=facts,
        point={"name": top["name"], "values": top["values"]},
        not_computed=left_out,
        provenance={
            "job_sha256": job.digest,
            "inputs_sha256": job.inputs_digest,
            "seed": request.seed,
            "versions": job.settings["versions"],
        },
    )
    write_text(folder / GLOBAL_FILE, json_text(record))
    return _outcome(comparison, record, str(folder / GLOBAL_FILE))


def _methods(
    request: GlobalRequest,
    inputs: dict[str, Any],
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
    from darkstats.look_elsewhere.spectrum_job import SpectrumContext

    results = [by_toys(tallies.maxima, z_local, extrapolate=request.extrapolate)]
    left_out = []
    by_levels = by_up_crossings if tallies.excursions.dimension == 1 else by_euler_characteristic
    results.append(by_levels(tallies.excursions, z_local))
    if tallies.auxiliary == "held":
        left_out.append("covariance: windows are counts, and too small for a Gaussian field")
        return results, left_out
    try:
        found = responses_of(SpectrumContext.of(inputs, interpolation))
        field = GaussianField.from_responses(found.values, expected=found.expected)
        results.append(by_covariance(field, z_local))
    except OptionError as error:
        left_out.append(f"covariance: {error}")
    return results, left_out


def _outcome(comparison: Comparison, record: dict[str, Any], where: str) -> Outcome[Comparison]:
    from darkstats.workflows.plot_requests import PlotRequest
    from darkstats.workflows.plots import global_outcome

    shown = global_outcome(PlotRequest(results=(where,)), record, where)

    def sheet() -> Any:  # noqa: ANN401 -- a table
        from darkstats.report.scan_sheets import global_sheet

        return global_sheet(record, comparison.rows(), where)

    return Outcome(result=comparison, record=lambda: record, sheet=sheet, figures=shown.figures)
