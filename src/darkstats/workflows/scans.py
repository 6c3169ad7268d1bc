"""Patch sets to limit curves: scan, shards, project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import OptionError
from darkstats.garbage import collection_paused
from darkstats.report.scan_table import SCAN_FILE
from darkstats.workflows.coupling_requests import CouplingRequest
from darkstats.workflows.couplings import check_scan, with_couplings
from darkstats.workflows.outcome import Outcome, Shell
from darkstats.workflows.requests import (
    BAYES_LEVEL,
    check_level,
    check_posterior_options,
    check_prior_goes_with,
    file_of,
)
from darkstats.workflows.scan_sources import couplings_of, read_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from darkstats.execution.jobs import Job, Task
    from darkstats.execution.store import BlockStore
    from darkstats.report.scan_table import ScanTable
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.scan.mass_scan import MassScan
    from darkstats.scan.settings import ScanSettings
    from darkstats.workflows.scan_requests import (
        MassScanRequest,
        MergeRequest,
        ProjectRequest,
        ShardRequest,
    )
    from darkstats.workflows.scan_sources import Source
    from darkstats.workspace.json_values import JsonObject

__all__ = [
    "first_kernel",
    "merge_shards",
    "plan_shards",
    "project",
    "record_of_scan",
    "run_blocks",
    "run_limits",
    "run_shard",
    "scan",
    "task_of",
]

PROJECTION_FILE = "projection.json"
_INTERPOLATION = "normsys=code4,histosys=code4p"


def _source_of(request: MassScanRequest) -> Source:
    return read_source(
        request.source,
        request.patchset,
        request.data,
        patches=request.patches,
        name_pattern=request.name_pattern,
        blind=request.blind,
        luminosity_ifb=request.luminosity_ifb,
    )


def _settings(request: MassScanRequest, source: Source) -> ScanSettings:
    from darkstats.scan.block_sizes import hypotheses_per_block
    from darkstats.scan.settings import ScanSettings

    method = request.method or source.method
    if method == "bayes":
        return _bayes_settings(request, source)
    check_prior_goes_with(method, request.bayes)
    cl = request.cl or source.cl
    check_level(cl, method)  # that of a card may be one of a posterior alone
    calculator = request.calculator or "asymptotic"
    if request.n_toys is not None and calculator != "toys":
        raise OptionError(f"--toys goes with --calculator toys, not with {calculator}")
    n_toys, size = None, source.hypotheses.per_block
    if calculator == "toys":
        n_toys = request.n_toys or 10_000
        size = hypotheses_per_block(source.hypotheses, n_toys=n_toys, interpolation=_INTERPOLATION)
    return ScanSettings(
        method=method,
        cl=cl,
        test_stat=request.test_stat,
        calculator=calculator,
        band=request.band,
        n_toys=n_toys,
        seed=request.seed,
        blind=source.blind,
        interpolation=_INTERPOLATION,
        hypotheses_per_block=size,
    )


def _bayes_settings(request: MassScanRequest, source: Source) -> ScanSettings:
    """Settings of Bayesian limits: large blocks, since windows are integrated together."""
    from darkstats.scan.mass_hypotheses import MANY
    from darkstats.scan.settings import ScanSettings
    from darkstats.workflows.bayes import prior_of

    check_posterior_options(
        calculator=request.calculator, test_stat=request.test_stat, band=request.band
    )
    prior_of(request.bayes.prior)  # here and not in every block, if there is no such prior
    usual = source.cl if source.method == "bayes" else BAYES_LEVEL
    many = len(source.hypotheses.members) > MANY
    return ScanSettings(
        method="bayes",
        cl=request.cl or usual,
        calculator="posterior",
        n_toys=request.n_toys,
        seed=request.seed,
        blind=source.blind,
        interpolation=_INTERPOLATION,
        bayes=request.bayes,
        hypotheses_per_block=256 if many else source.hypotheses.per_block,
    )


def _processors() -> int:
    from darkstats.kernel import default_threads

    return default_threads()


def run_limits(
    hypotheses: MassHypotheses,
    job: Job,
    settings: ScanSettings,
    store: BlockStore | None,
    *,
    cluster: str | None,
    workers: int | None,
    shell: Shell,
    step: str,
) -> MassScan:
    """Run the job of a scan, by blocks over processes or a cluster, and put it together.

    Raises
    ------
    ShardError
        A block could not be computed or kept; what is finished is kept.
    """
    from darkstats.scan.job import collect_scan

    total, size = len(hypotheses.members), settings.hypotheses_per_block
    with shell.step(step, total, "hypotheses") as progress:
        blocks = run_blocks(
            job,
            store,
            cluster=cluster,
            workers=workers,
            shell=shell,
            progress=lambda n: progress.advance(n * size),
        )
    return collect_scan(hypotheses, job, settings, [blocks[b] for b in range(job.n_blocks)])


def run_blocks(
    job: Job,
    store: BlockStore | None,
    *,
    cluster: str | None,
    workers: int | None,
    shell: Shell,
    progress: Callable[[int], None],
) -> dict[int, JsonObject]:
    """Run a job where the shell has its blocks run, or else where the request says.

    Raises
    ------
    ShardError
        A block could not be computed or kept; what is finished is kept.
    """
    from darkstats.execution.run import executor_of, run_job

    if shell.runner is not None:
        return shell.runner(task_of(job.kind), job, progress)
    executor = executor_of(cluster, workers or _processors())
    return run_job(task_of(job.kind), job, executor, store=store, progress=progress)


@collection_paused()
def record_of_scan(
    scan: MassScan,
    job: Job,
    hypotheses: MassHypotheses,
    couplings: CouplingRequest | None = None,
) -> JsonObject:
    """Record of a scan in all units that its search knows, and on the coupling of a model."""
    from darkstats.report.scan_records import scan_record

    record = scan_record(
        scan,
        facts=hypotheses.facts,
        couplings=couplings_of(hypotheses),
        job_digest=job.digest,
        versions=job.settings["versions"],
    )
    if couplings is None:
        return record
    return with_couplings(record, couplings, str(hypotheses.facts["name"]))


@collection_paused()
def _write(folder: Path, record: Mapping[str, Any]) -> None:
    """Keep the result beside the blocks: a record, and its table as CSV."""
    from darkstats.report.scan_exports import scan_csv
    from darkstats.report.scan_reading import read_scan
    from darkstats.report.writing import json_text, write_text

    write_text(folder / SCAN_FILE, json_text(record))
    write_text(folder / "scan.csv", scan_csv(read_scan(record, source=SCAN_FILE)))


@collection_paused()
def _outcome(scan: MassScan, record: JsonObject, where: str) -> Outcome[MassScan]:
    from darkstats.report.scan_reading import read_scan
    from darkstats.workflows.plot_requests import PlotRequest
    from darkstats.workflows.scan_plots import scans_outcome

    shown = scans_outcome(PlotRequest(results=(where,)), [read_scan(record, source=where)])
    return Outcome(
        result=scan,
        record=lambda: record,
        sheet=shown.sheet,
        figures=shown.figures,
        uncertified=_uncertified([scan]),
    )


def _uncertified(scans: Sequence[MassScan]) -> str:
    """What to say where no hypothesis of any scan has a result."""
    points = [point for scan in scans for point in scan.points]
    if any(point.has_result for point in points):
        return ""
    return f"nothing is certified: {scans[0].statement}"


def scan(request: MassScanRequest, shell: Shell | None = None) -> Outcome[MassScan]:
    """Limits and local p-values at all mass hypotheses.

    Raises
    ------
    InputError
        The files or the options cannot be used.
    ShardError
        A block could not be computed or kept; what is finished is kept.
    """
    from darkstats.execution.store import BlockStore
    from darkstats.scan.job import limits_job

    shell = shell or Shell()
    source = _source_of(request)
    settings = _settings(request, source)
    job = limits_job(source.hypotheses, settings)
    _require_drawable([_empty_table(source.hypotheses, job, settings)], shell)
    check_scan(request.couplings, source.hypotheses)
    if source.hypotheses.in_bins:
        first_kernel(shell)
    store = None if request.output is None else BlockStore.create(Path(request.output), job)
    found = run_limits(
        source.hypotheses,
        job,
        settings,
        store,
        cluster=request.cluster,
        workers=request.workers,
        shell=shell,
        step=f"scanning {source.facts['name']}",
    )
    record = record_of_scan(found, job, source.hypotheses, request.couplings)
    where = source.facts["name"]
    if store is not None:
        _write(store.folder, record)
        where = str(store.folder / SCAN_FILE)
    return _outcome(found, record, where)


def _require_drawable(tables: list[ScanTable], shell: Shell) -> None:
    """Refuse figures that scans of these hypotheses have none of: before the work, not after it."""
    from darkstats.workflows.plot_requests import PlotRequest
    from darkstats.workflows.scan_plots import scans_outcome

    if shell.kinds:
        shown = scans_outcome(PlotRequest(results=(tables[0].name,)), tables)
        shell.require_figures(shown.figures, shown.no_figure)


def _empty_table(hypotheses: MassHypotheses, job: Job, settings: ScanSettings) -> ScanTable:
    """Read the record that a scan without any result would give: before the work, not after it."""
    from darkstats.report.scan_reading import read_scan
    from darkstats.scan.mass_scan import MassScan, ScanPoint

    empty = MassScan(
        labels=hypotheses.labels,
        settings=settings,
        points=tuple(ScanPoint.lost(h.name, h.values, "-") for h in hypotheses.members),
        inputs_digest=job.inputs_digest,
    )
    name = str(hypotheses.facts["name"])
    return read_scan(record_of_scan(empty, job, hypotheses), source=name)


def first_kernel(shell: Shell) -> None:
    """Compile kernels once, before several processes do it at a time."""
    from darkstats.fit.warming import ensure_compiled, kernels_are_compiled
    from darkstats.workflows.outcome import announce_compiling

    if not kernels_are_compiled():
        announce_compiling(shell)
        ensure_compiled()


def plan_shards(request: MassScanRequest, shell: Shell | None = None) -> Outcome[BlockStore]:
    """Write the job of a scan into a folder, for shards to work on.

    Raises
    ------
    InputError
        The files or the options cannot be used.
    """
    from darkstats.execution.store import BlockStore
    from darkstats.scan.job import limits_job

    if request.output is None:
        raise OptionError("shards plan needs a folder: -o DIR")
    if request.couplings.cross_sections is not None:
        raise OptionError("a plan has no couplings yet: give --cross-sections to shards merge")
    source = _source_of(request)
    settings = _settings(request, source)
    job = limits_job(source.hypotheses, settings)
    _empty_table(source.hypotheses, job, settings)  # what cannot be read is refused here
    store = BlockStore.create(Path(request.output), job)
    return _shard_outcome(store, {"blocks": job.n_blocks, "unfinished": len(store.unfinished())})


def _shard_outcome(store: BlockStore, facts: Mapping[str, Any]) -> Outcome[BlockStore]:
    record = {
        "schema": "darkstats.shards/1",
        "folder": str(store.folder),
        "kind": store.job.kind,
        "job_sha256": store.job.digest,
        **facts,
    }

    def sheet() -> Any:  # noqa: ANN401 -- a table
        from darkstats.report.tables import sheet as table

        notes = [(key.replace("_", " "), str(value)) for key, value in record.items()]
        return table("Shards of a scan", subtitle=str(store.folder), notes=notes)

    return Outcome(result=store, record=lambda: dict(record), sheet=sheet)


def run_shard(request: ShardRequest, shell: Shell | None = None) -> Outcome[BlockStore]:
    """Run the blocks of one shard that are not finished.

    Raises
    ------
    InputError
        There is no such shard.
    ShardError
        The folder holds no job, or a block could not be computed or kept.
    """
    from darkstats.execution.processes import InProcess
    from darkstats.execution.run import run_job, shard_blocks
    from darkstats.execution.store import BlockStore
    from darkstats.scan.job import LIMIT_TASKS

    shell = shell or Shell()
    store = BlockStore.open(Path(request.folder))
    blocks = shard_blocks(store.job.n_blocks, request.shard, request.of)
    with shell.step(f"shard {request.shard} of {request.of}", len(blocks), "blocks") as step:
        found = run_job(
            task_of(store.job.kind),
            store.job,
            InProcess(),
            store=store,
            progress=step.advance,
            blocks=blocks,
        )
    facts = {"shard": request.shard, "of": request.of, "blocks": len(blocks)}
    if store.job.kind in LIMIT_TASKS:  # a block is done even where its hypotheses have failed
        points = [point for block in found.values() for point in block["points"]]
        failed = sum(point["status"] == "failed" for point in points)
        facts |= {"hypotheses": len(points), "failed": failed}
    return _shard_outcome(store, facts)


def task_of(kind: str) -> Task:
    """Return the task of a kind of job.

    Raises
    ------
    OptionError
        There is none.
    """
    from darkstats.scan.job import LIMIT_TASKS, unknown_kind

    if kind in LIMIT_TASKS:
        return LIMIT_TASKS[kind]
    from darkstats.look_elsewhere.spectrum_job import TOY_TASKS

    if kind in TOY_TASKS:
        return TOY_TASKS[kind]
    raise unknown_kind(kind)


def merge_shards(request: MergeRequest, shell: Shell | None = None) -> Outcome[Any]:
    """Put shards together, and write the result of the scan.

    Raises
    ------
    ShardError
        A block is missing, damaged, differs, or belongs to another job.
    """
    from darkstats.execution.store import BlockStore
    from darkstats.scan.job import LIMIT_TASKS, collect_scan, hypotheses_of
    from darkstats.scan.settings import ScanSettings

    store = BlockStore.open(Path(request.folder))
    merged = store.merge(Path(other) for other in request.others)
    job = store.job
    if job.kind not in LIMIT_TASKS:
        return _shard_outcome(store, {"taken": merged.taken, "known": merged.known})
    hypotheses = hypotheses_of(job)
    check_scan(request.couplings, hypotheses)
    settings = ScanSettings.from_plain(job.settings)
    _require_drawable([_empty_table(hypotheses, job, settings)], shell or Shell())
    blocks = [store.read(block) for block in range(job.n_blocks)]
    found = collect_scan(hypotheses, job, settings, blocks)
    record = record_of_scan(found, job, hypotheses, request.couplings)
    _write(store.folder, record)
    return _outcome(found, record, str(store.folder / SCAN_FILE))


def project(request: ProjectRequest, shell: Shell | None = None) -> Outcome[list[MassScan]]:
    """Expected limits at other luminosities.

    Raises
    ------
    InputError
        The files or the options cannot be used, or the search names no luminosity.
    ShardError
        A block could not be computed or kept; what is finished is kept.
    """
    from darkstats.execution.store import BlockStore
    from darkstats.report.scan_reading import read_scan
    from darkstats.report.writing import json_text, write_text
    from darkstats.scan.job import limits_job
    from darkstats.scan.projection import SYSTEMATICS
    from darkstats.workflows.plot_requests import PlotRequest
    from darkstats.workflows.scan_plots import scans_outcome
    from darkstats.workflows.scan_requests import MassScanRequest

    shell = shell or Shell()
    source = read_source(
        request.source, request.patchset, blind=True, luminosity_ifb=request.luminosity_ifb
    )
    if not source.hypotheses.in_bins:
        raise OptionError("projections are made of binned searches: name the folder of the build")
    now = source.facts["luminosity_ipb"]
    if now is None:
        raise OptionError(
            f"{file_of(request.source)} does not say its luminosity: give --luminosity, or "
            "luminosity_ipb in its sidecar"
        )
    check_scan(request.couplings, source.hypotheses)
    base = _settings(
        MassScanRequest(
            source=request.source,
            method=request.method,
            cl=request.cl,
            bayes=request.bayes,
            blind=True,
        ),
        source,
    )
    empty = _empty_table(source.hypotheses, limits_job(source.hypotheses, base), base)
    _require_drawable([empty] * len(request.luminosities_ifb), shell)
    first_kernel(shell)
    statement = SYSTEMATICS[request.systematics]
    scans, records = [], []
    for luminosity_ifb in request.luminosities_ifb:
        settings = replace(
            base,
            luminosity_factor=1e3 * luminosity_ifb / now,
            systematics=request.systematics,
        )
        hypotheses = source.with_facts(
            luminosity_ipb=1e3 * luminosity_ifb,
            title=f"{source.facts['title']}; projected to {luminosity_ifb:g} fb^-1",
            data=f"projection, Asimov data; {statement}",
        ).hypotheses
        job = limits_job(hypotheses, settings)
        store = None
        if request.output is not None:
            store = BlockStore.create(Path(request.output) / f"{luminosity_ifb:g}_ifb", job)
        found = run_limits(
            hypotheses,
            job,
            settings,
            store,
            cluster=request.cluster,
            workers=request.workers,
            shell=shell,
            step=f"projecting to {luminosity_ifb:g} fb^-1",
        )
        scans.append(found)
        records.append(record_of_scan(found, job, hypotheses, request.couplings))
    tables = [read_scan(record, source=source.facts["name"]) for record in records]
    asked = PlotRequest(results=tuple(table.source for table in tables))
    shown = scans_outcome(asked, tables, statement=statement)
    whole = {
        "schema": "darkstats.projection/1",
        "summary": [
            {"statement": s.statement, "points": len(s.points), "failed": len(s.failed)}
            for s in scans
        ],
        "name": source.facts["name"],
        "simulated": source.facts["simulated"],
        "systematics": request.systematics,
        "systematics_statement": statement,
        "scans": records,
    }
    if request.output is not None:
        write_text(Path(request.output) / PROJECTION_FILE, json_text(whole))
    return Outcome(
        result=scans,
        record=lambda: whole,
        sheet=shown.sheet,
        figures=shown.figures,
        uncertified=_uncertified(scans),
    )
