"""What is scanned: a built search, a workspace with its patch set, or an unbinned document."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.characters import as_text
from darkstats.errors import OptionError
from darkstats.garbage import collection_paused
from darkstats.workflows.requests import file_of
from darkstats.workspace.spec import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkstats.report.scan_records import Converted, Coupling
    from darkstats.report.sidecar import Sidecar
    from darkstats.scan.mass_hypotheses import MassHypotheses
    from darkstats.signals.benchmarks import Benchmark
    from darkstats.workspace import PatchSet

__all__ = ["Source", "couplings_of", "read_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is scanned, and what its search says of limits."""

    hypotheses: MassHypotheses = field(repr=False)
    method: str
    cl: float
    blind: bool = False

    @property
    def facts(self) -> Mapping[str, Any]:
        """What records and figures say of the search."""
        return self.hypotheses.facts

    def with_facts(self, **changed: object) -> Source:
        """The same, where records say something else of the search."""
        facts = {**self.facts, **changed}
        return replace(self, hypotheses=self.hypotheses.with_facts(facts))


@collection_paused()
def read_source(
    source: str | Workspace,
    patchset: str | PatchSet | None,
    data: Sequence[str] = (),
    *,
    patches: Sequence[str] = (),
    name_pattern: str | None = None,
    blind: bool | None = None,
    luminosity_ifb: float | None = None,
) -> Source:
    """Read a built search, a workspace with its patch set, or an HS3 document with events.

    ``luminosity_ifb`` is for a workspace that says none.

    Raises
    ------
    InputError
        A file is missing, damaged, or belongs to another one; or says another luminosity.
    """
    found = _read_source(
        source, patchset, data, patches=patches, name_pattern=name_pattern, blind=blind
    )
    if luminosity_ifb is None:
        return found
    asked_ipb, known_ipb = 1e3 * luminosity_ifb, found.facts["luminosity_ipb"]
    if known_ipb is not None and abs(known_ipb - asked_ipb) > 1e-9 * asked_ipb:
        raise OptionError(
            f"--luminosity {luminosity_ifb:g}: {file_of(source)} says {known_ipb / 1e3:g} fb^-1; "
            "drop it"
        )
    return found.with_facts(luminosity_ipb=asked_ipb if known_ipb is None else known_ipb)


def _read_source(
    source: str | Workspace,
    patchset: str | PatchSet | None,
    data: Sequence[str],
    *,
    patches: Sequence[str],
    name_pattern: str | None,
    blind: bool | None,
) -> Source:
    from darkstats.scan.mass_hypotheses import BinnedHypotheses
    from darkstats.workflows.unbinned_inputs import holds_hs3
    from darkstats.workspace import read_patchset

    if holds_hs3(source):
        from darkstats.workflows.unbinned_scan import unbinned_source

        if patchset is not None or patches:
            raise OptionError("an HS3 document has no patch set: its analyses are the hypotheses")
        events, method, cl, closed = unbinned_source(file_of(source), data, blind=blind)
        return Source(hypotheses=events, method=method, cl=cl, blind=closed)
    if data:
        raise OptionError("--data goes with an HS3 document of unbinned likelihoods")
    file = file_of(source)
    path = Path(file)
    read = isinstance(source, Workspace)
    if not read and (pair := _workspace_and_patches(path)) is not None:
        if patchset is not None or patches:
            raise OptionError(f"{file} has a patch set of its own: drop --patchset and --patch")
        (file, patchset), source = pair, pair[0]
    elif not read and (alone := _workspace_alone(path)) is not None:
        file = source = alone
    elif not read and path.is_dir():
        if patchset is not None or patches:
            raise OptionError(
                "a built search has a patch set of its own: drop --patchset and --patch"
            )
        from darkstats.scan.spectrum import read_fill
        from darkstats.searches.output import read_build
        from darkstats.signals.constants import CM_ENERGY_GEV

        build = read_build(path)
        record, sidecar = build.record, build.sidecar
        found = BinnedHypotheses.of_patches(
            build.workspace,
            read_patchset(build.patch_set_path),
            read_fill(build.fill_path),
            facts={
                "name": record["name"],
                "title": record["title"],
                "simulated": record["simulated"],
                "data": record["data"],
                "luminosity_ipb": record["luminosity_ipb"],
                "reference_cross_section_pb": sidecar["reference_cross_section_pb"],
                "poi_label": sidecar["poi_label"],
                **_where_said(sidecar),
                "collision": {"sqrt_s_gev": CM_ENERGY_GEV, "beams": "e+ e-"},
            },
            benchmarks=tuple(record.get("benchmarks", ())),
        )
        statistics = record["statistics"]
        return Source(
            hypotheses=found,
            method=str(statistics["method"]),
            cl=float(statistics["cl"]),
            blind=bool(blind),
        )
    from darkstats.publication.hypotheses import WITHOUT_SIGNAL
    from darkstats.workspace import read_workspace

    workspace = read_workspace(source, accept=WITHOUT_SIGNAL)
    document = workspace.document
    points: PatchSet | None = None
    if patches:
        points = _loose(document, patches, name_pattern)
    elif patchset is not None or (not read and _is_pallet(file)):
        points = read_patchset(file if patchset is None else patchset)
    else:
        _require_signal(workspace, file)
    sidecar_ = _sidecar_of_signal(file, workspace, points)
    facts: dict[str, object] = {
        "name": as_text(path.name.removesuffix(".gz").removesuffix(".json")),
        "title": sidecar_.title or as_text(_title(path)),
        "simulated": sidecar_.simulated,
        "data": "simulated" if sidecar_.simulated else "as in the workspace",
        "luminosity_ipb": sidecar_.luminosity_ipb,
        "reference_cross_section_pb": sidecar_.reference_cross_section_pb,
        "poi_label": sidecar_.poi_label,
        "collision": None if sidecar_.collision is None else dict(sidecar_.collision),
        **({} if sidecar_.searched is None else {"searched": sidecar_.searched.plain()}),
    }
    if points is None:
        found = BinnedHypotheses.of_signal(document, facts=facts, benchmarks=_limited(sidecar_, ()))
        return Source(hypotheses=found, method="cls", cl=0.95, blind=bool(blind))
    facts |= _label_words(sidecar_, points)
    benchmarks = _limited(sidecar_, points.labels)
    found = BinnedHypotheses.of_patches(document, points, facts=facts, benchmarks=benchmarks)
    return Source(hypotheses=found, method="cls", cl=0.95, blind=bool(blind))


def _limited(sidecar: Sidecar, labels: Sequence[str]) -> tuple[str, ...]:
    """Benchmarks of a sidecar that these hypotheses have the masses for; unknown ones are none."""
    from darkstats.signals.benchmarks import BENCHMARKS

    n_masses = sum(label.endswith("_gev") for label in labels)
    known = (BENCHMARKS[name] for name in sidecar.benchmarks if name in BENCHMARKS)
    return tuple(one.name for one in known if one.is_efficiency or len(one.masses) == n_masses)


def _sidecar_of_signal(file: str, workspace: Workspace, points: PatchSet | None) -> Sidecar:
    """What the sidecar says of a search and of these signals, which need not be its own."""
    from darkstats.report.sidecar import read_sidecar

    found = read_sidecar(file)
    own = workspace.own_signal if points is None else points.own_signal
    return found if own is None else found.of_signal(own)


def _title(path: Path) -> str:
    """Name of the file, or the member of an archive with its folder: ``RegionA/BkgOnly.json``."""
    archive, colon, member = str(path).partition(":")
    return member if colon and Path(archive).is_file() else path.name


def _is_pallet(source: str) -> bool:
    from darkstats.workspace.containers import kind_of
    from darkstats.workspace.documents import parse_json
    from darkstats.workspace.sources import Opener

    if source == "-":
        return False
    label, data = Opener().read(source, "workspace")
    return kind_of(parse_json(data, source=label)) == "pallet"


def _loose(
    document: Mapping[str, Any], patterns: Sequence[str], name_pattern: str | None
) -> PatchSet:
    from darkstats.workspace import PatchSet
    from darkstats.workspace.loose_patches import NamingRule, find_patches, make_patch_set
    from darkstats.workspace.sources import Opener

    rule = None if name_pattern is None else NamingRule(name_pattern)
    made = make_patch_set(dict(document), find_patches(patterns, Opener()), rule)
    return PatchSet.from_document(made, source=", ".join(patterns))


def _workspace_and_patches(folder: Path) -> tuple[str, str] | None:
    """A folder of a background-only workspace and its patch set, which is no built search."""
    base = folder / "background_only.json"
    if (folder / "record.json").is_file() or not base.is_file():
        return None
    sets = [folder / name for name in ("patchset.json", "patchset.json.gz")]
    found = [str(path) for path in sets if path.is_file()]
    return (str(base), found[0]) if found else None


def _label_words(sidecar: Sidecar, points: PatchSet) -> dict[str, object]:
    """Titles and units of the labels of a patch set, where the sidecar has some."""
    known = sidecar.labels
    words = {name: dict(known[name]) for name in points.labels if name in known}
    return {"label_words": words} if words else {}


def _require_signal(workspace: Workspace, file: str) -> None:
    from darkstats.publication.hypotheses import WITHOUT_SIGNAL

    if {one.code for one in workspace.warnings} & set(WITHOUT_SIGNAL):
        raise OptionError(
            f"{file} has no signal, and is no folder of a built search: give the signals of the "
            "workspace with --patchset, or with --patch"
        )


def _workspace_alone(folder: Path) -> str | None:
    """A folder of a workspace with its signal, as ``template build`` and ``convert`` write one."""
    others = ("record.json", "background_only.json")
    one = folder / "workspace.json"
    return str(one) if one.is_file() and not any((folder / n).exists() for n in others) else None


_PARENT = "parent_cross_section_pb"


def _where_said(sidecar: Mapping[str, Any]) -> dict[str, object]:
    """Cross section of what decays, what is searched for, and hypotheses that were left out."""
    said = (_PARENT, "searched", "without_sensitivity")
    return {key: sidecar[key] for key in said if key in sidecar}


def couplings_of(hypotheses: MassHypotheses) -> dict[str, Coupling]:
    """The coupling of each benchmark of a search: the only place where the two meet."""
    from darkstats.report.scan_records import Coupling
    from darkstats.signals.benchmarks import benchmark

    reference = hypotheses.facts.get("reference_cross_section_pb")
    masses = [k for k, label in enumerate(hypotheses.labels) if label.endswith("_gev")]
    found: dict[str, Coupling] = {}
    if reference is None:
        return found

    def unit(model: Benchmark) -> float:
        return float(hypotheses.facts[_PARENT]) if model.per_parent else 1.0

    def conversion(model: Benchmark) -> Converted:
        def convert(values: Sequence[float | str], mu: float) -> float | None:
            if mu < 0.0:
                return None
            at = tuple(float(values[k]) for k in masses)
            if not model.covers(at):
                return None
            return float(model.to_coupling(at, reference * mu / unit(model)))

        return convert

    def relative_width(model: Benchmark) -> Converted | None:
        width = model.width_gev
        if width is None:
            return None

        def over_mass(values: Sequence[float | str], size: float) -> float:
            at = tuple(float(values[k]) for k in masses)
            return width(at, size) / at[0]

        return over_mass

    for name in hypotheses.benchmarks:
        model = benchmark(name)
        found[name] = Coupling(model.coupling, conversion(model), relative_width(model))
    return found
