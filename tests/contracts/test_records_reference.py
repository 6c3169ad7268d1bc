"""The reference of the records names every field, and no other."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import scan_records
from darkstats import workflows as w
from darkstats.errors import UnknownNameError, WorkspaceError
from darkstats.report.citations import citation_record
from darkstats.report.records import SCHEMAS, error_record
from darkstats.workflows.coupling_requests import CouplingAtMass, CouplingRequest
from darkstats.workspace import read_workspace
from darkstats.workspace.hs3 import write_hs3
from public_datacards import CARDS
from unbinned_models import bump

Record = dict[str, Any]

#: Fields whose keys are names of the user's, of packages, or of BibTeX; or those of ``fits``.
FREE = (
    "mle_parameters", "modifiers_by_type", "provenance.versions", "provenance.certification",
    "references[]", "unbinned.values", "unbinned.channels[].observables",
    "engines[].diagnostics", "couplings", "points[].couplings", "points[].values",
)  # fmt: skip
STATISTICAL = ("limit", "hypotest", "significance", "gof")
ON_ONE_MINIMUM = ("fit", "rank", "scan-poi")
#: Sections that also hold for a kind of record, by their titles in the page.
SHARED = {
    **dict.fromkeys(
        STATISTICAL,
        ("Common fields", "Checks", "Provenance", "Referee", "Unbinned", "Conversions"),
    ),
    **dict.fromkeys(ON_ONE_MINIMUM, ("Common fields", "Checks", "Provenance", "Referee")),
    "scan": ("Conversions",),
    "inspect": ("Provenance", "Findings"),
    "prune": ("Provenance",),
    "simplify": ("Provenance",),
    "error": ("Findings",),
}
FEW_EVENTS = {
    "version": "1.0.0",
    "channels": [
        {
            "name": "c",
            "samples": [
                {
                    "name": "signal",
                    "data": [2.0],
                    "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
                },
                {"name": "background", "data": [1.0], "modifiers": []},
            ],
        }
    ],
    "observations": [{"name": "c", "data": [1]}],
    "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
}


def _archive(beside: Path) -> w.InspectRequest:
    """An archive with a workspace in it."""
    path = beside.with_name("archive.zip")
    with zipfile.ZipFile(path, "w") as target:
        target.write(beside, "workspace.json")
    return w.InspectRequest(workspace=w.WorkspaceRequest(source=str(path)), members=True)


def _patch(beside: Path) -> w.InspectRequest:
    path = beside.with_name("patch.json")
    path.write_text(json.dumps([{"op": "remove", "path": "/channels/0"}]))
    return w.InspectRequest(workspace=w.WorkspaceRequest(source=str(path)))


def _card(beside: Path) -> w.ConvertRequest:
    path = beside.with_name("card.txt")
    path.write_text(CARDS["realistic"] + "k lnN 0.9/1.2 - - -\n")
    path.write_text(path.read_text().replace("kmax 5", "kmax 6"))
    return w.ConvertRequest(sources=(str(path),), output=str(beside.with_name("converted")))


def _recasts(folder: Path) -> list[w.Outcome[Any]]:
    """A curve beside a published one, and a rate with decays from files."""

    def file(name: str, text: str) -> str:
        (folder / name).write_text(text)
        return str(folder / name)

    curve = file("curve.csv", "mass_GeV,epsilon_UL90\n0.5,1e-3\n3.1,1e-3\n")
    rates = file("rates.csv", "mass_GeV,BR_UL90\n0.5,1e-3\n1,1e-3\n")
    ctau = file("ctau.csv", "mass_GeV,ctau_m\n0.5,1e-9\n1,1e-9\n")
    muons = file("mumu.csv", "mass_GeV,BR\n0.5,0.5\n1,0.5\n")
    asked = {"to": "dark_photon", "source": "dark_photon", "production": "radiative"}
    return [
        w.recast(
            w.RecastRequest(
                limit=curve, final_state="invisible", dark_matter=(0.1, 0.1), compare=(curve,),
                window="1250:inf", momentum_gev=3.0, regimes="9:1250", **asked,
            )
        ),
        w.recast(
            w.RecastRequest(
                limit=rates, to="dark_higgs_mixing", production="b_to_k", final_state="mumu",
                decays=(("ctau", ctau), ("mumu", muons)),
            )
        ),
    ]  # fmt: skip


def _mixing(plane: Path) -> w.Outcome[Any]:
    plane.write_text(json.dumps(scan_records.plane(4)))
    return w.dark_higgs(w.DarkHiggsRequest(result=str(plane), far_mm=1250.0, product=1e-3))


def documented(repository: Path) -> dict[str, set[str]]:
    """Fields by section: those of the first column, and their parts named in the second."""
    text = (repository / "docs/reference/records.md").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for title, body in re.findall(r"^##+ (.+?)$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        fields = found.setdefault(title.strip("`").removeprefix("darkstats.").split("/")[0], set())
        for names, meaning in re.findall(r"^\| (`.+?) \| (.+) \|$", body, re.MULTILINE):
            parents = re.findall(r"`([^`]+)`", names)
            parts = re.findall(r"`((?:\.|\[\]\.)[^`]+)`", meaning)
            fields |= {*parents, *(f"{parent}{part}" for parent in parents for part in parts)}
    scans = {f"points[].{field}" for field in found["Conversions"] if not field.startswith("conv")}
    found["Conversions"] |= scans
    found["limit"] |= found.pop("Probe") | found.pop("Bayesian limits") | found["Unbinned"]
    return found


def paths(value: object, at: str = "") -> Iterator[str]:
    """Paths of all fields of a record, reasons apart."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not key.endswith("_reason") and at not in FREE:
                yield f"{at}.{key}".lstrip(".")
                yield from paths(item, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from paths(item, f"{at}[]")


def _smaller(model: w.ModelRequest, folder: Path) -> dict[str, list[Record]]:
    """Records of verbs that write a workspace, in files of their own."""
    report = str(folder / "report.json")
    outcomes: list[w.Outcome[Any]] = [
        w.prune(w.PruneRequest(workspace=model.workspace, threshold=0.02, report=report)),
        *(
            w.simplify(w.SimplifyRequest(model=model, response=response, report=report))
            for response in ("linear", "quadratic")
        ),
    ]
    found = []
    for outcome in outcomes:
        outcome.files[report](report)
        found.append(json.loads(Path(report).read_text("utf-8")))
    return {"prune": found[:1], "simplify": found[1:]}


def _flavour(repository: Path) -> w.ModelRequest:
    """A hypothesis of a search that limits efficiency times cross section."""
    folder = repository / "workspaces/zprime_lfv_2018"
    return w.ModelRequest(
        workspace=w.WorkspaceRequest(
            source=str(folder / "background_only.json"),
            patchset=str(folder / "patchset.json"), point="m_2p4842",
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def records(
    repository: Path,
    example_workspaces: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Record]]:
    """Records of every kind, which between them have every field."""
    few = tmp_path_factory.mktemp("few") / "few.json"
    few.write_text(json.dumps(FEW_EVENTS))
    unbinned = few.with_name("unbinned.json")
    write_hs3(bump(), unbinned)

    def model(name: str = "two_bins", **options: Any) -> w.ModelRequest:
        path = few if name == "few" else example_workspaces[name]
        return w.ModelRequest(workspace=w.WorkspaceRequest(source=str(path)), **options)

    toys = w.ToyRequest(n_toys=200, seed=1)
    asked = {"calculator": "toys", "toys": toys}
    document = model("three_channels").workspace
    points = w.WorkspaceRequest(
        source=str(repository / "workspaces/examples/mass_scan/patchset.json")
    )
    of_coupling = CouplingAtMass(cross_sections="sigma_fb = g**2", unit_signal="5 fb")
    limits = (
        w.LimitRequest(model=_flavour(repository), calculator="asymptotic"),
        w.LimitRequest(model=model("few")),
        w.LimitRequest(model=model("few"), couplings=of_coupling),
        w.LimitRequest(model=model(blind=True), method="pcl"),
        w.LimitRequest(model=model("on_off"), method="fc", toys=toys),
        w.LimitRequest(model=model(), referee="pyhf"),
        w.LimitRequest(model=w.ModelRequest(workspace=w.WorkspaceRequest(source=str(unbinned)))),
        w.LimitRequest(
            model=model("on_off"), method="bayes", bayes=w.BayesSettings(prior="coupling:2,1,9")
        ),
    )
    fitted = w.FitRequest(model=model(), minos=("mu",), referee="pyhf", covariance="matrix.npz")
    found: dict[str, list[w.Outcome[Any]]] = {
        "limit": [w.limit(request) for request in limits],
        "hypotest": [w.hypotest(w.HypoTestRequest(model=model(), referee="pyhf", **asked))],
        "significance": [w.significance(w.SignificanceRequest(model=model(), **asked))],
        "gof": [w.gof(w.GoodnessRequest(model=model(), **asked))],
        "fit": [w.fit(fitted)],
        "rank": [w.rank(w.RankRequest(model=model(), groups=(("all", "*"),)))],
        "scan-poi": [w.scan_poi(w.ScanRequest(model=model(), points=3))],
        "inspect": [w.inspect(w.InspectRequest(workspace=document))],
        "patches": [w.inspect(w.InspectRequest(workspace=points)), w.inspect(_patch(few))],
        "members": [w.inspect(_archive(few))],
        "events": [w.inspect(w.InspectRequest(workspace=w.WorkspaceRequest(source=str(unbinned))))],
        "digest": [w.digest(w.DigestRequest(workspace=document))],
        "convert": [w.convert(_card(few))],
    }
    scan = few.with_name("scan.json")
    scan.write_text(json.dumps(scan_records.alp()))
    found["plot"] = [w.plot(w.PlotRequest(results=(str(scan),)))]
    export = w.ExportRequest(result=str(scan), csv=str(few.with_name("scan.csv")))
    found["export"] = [w.export(export)]
    regions = []
    for name, record in zip("AB", scan_records.regions("A", "B"), strict=True):
        record["points"][0] |= {"status": "failed", "reason": "no minimum"}
        path = few.with_name(f"{name}.json")
        path.write_text(json.dumps(record))
        regions.append(f"{name}={path}")
    plane = {"x": "m_heavy_gev", "y": "m_heavy2_gev", "where": ("m_dm_gev=60",)}
    record["points"][0] |= {"status": "ok", "reason": None}
    path.with_name("whole.json").write_text(json.dumps(record))
    whole = (regions[0], f"B={path.with_name('whole.json')}")
    found["contour"] = [
        w.contour(w.ContourRequest(results=tuple(regions), **plane)),
        w.contour(w.ContourRequest(results=whole, failed="scan", **plane)),
    ]
    masses = repository / "workspaces/examples/mass_scan"

    def scan_into(folder: str) -> w.MassScanRequest:
        return w.MassScanRequest(
            source=str(masses / "background_only.json"),
            patchset=str(masses / "patchset.json"),
            output=str(few.with_name(folder)),
            workers=1,
            couplings=CouplingRequest(cross_sections=str(masses / "dark_vector.csv")),
        )

    folder = str(few.with_name("masses"))
    document = json.loads((masses / "patchset.json").read_text("utf-8"))
    document["patches"] = document["patches"][:1]
    (one := few.with_name("one.json")).write_text(json.dumps(document))
    bayes = w.MassScanRequest(
        source=str(masses / "background_only.json"),
        patchset=str(one),
        method="bayes",
        bayes=w.BayesSettings(expected="none", ranges=(("bernstein_0", 0.0, 80.0),)),
        workers=1,
    )
    decays = w.scan(w.MassScanRequest(source=_decays(repository, few.parent), workers=1))
    found["scan"] = [w.scan(scan_into("masses")), w.scan(bayes), decays]
    bundle = str(few.with_name("bundle"))
    found["publish"] = [w.publish(w.PublishRequest(source=str(masses), output=bundle))]
    damaged = few.with_name("bundle") / "yields.tex"
    damaged.write_text("changed")
    found["verify"] = [w.verify(w.VerifyRequest(bundle=bundle, workers=1))]
    found["global"] = [
        w.global_significance(w.GlobalRequest(source=folder, n_toys=2048, workers=1))
    ]
    found["shards"] = [
        w.plan_shards(replace(scan_into("shards"), couplings=CouplingRequest())),
        w.run_shard(w.ShardRequest(folder=folder)),
        w.merge_shards(w.MergeRequest(folder=f"{folder}/toys_seed_1")),
    ]
    found |= {"recast": _recasts(few.parent), "dark-higgs": [_mixing(few.parent / "plane.json")]}
    with pytest.raises(WorkspaceError) as refused:
        read_workspace(b"{}")
    errors = (refused.value, UnknownNameError("channel", "SR", ("CR",)))
    return {
        **{kind: [one.record() for one in outcomes] for kind, outcomes in found.items()},
        **_smaller(model("three_channels"), few.parent),
        "citation": [citation_record()],
        "error": [error_record(error, exit_status=2, command="darkstats") for error in errors],
    }


def _decays(repository: Path, folder: Path) -> str:
    """A search for decays of B mesons at two masses and two lifetimes, of which it sees one."""
    text = (repository / "models/b_to_k_scalar.yaml").read_text("utf-8")
    for key, values in (("masses_gev", "0.3, 0.6"), ("ctau_mm", "0.001, 10")):
        text = re.sub(rf"{key}: \[[^]]*\]", f"{key}: [{values}]", text)
    card = folder / "decays.yaml"
    card.write_text(text, "utf-8")
    built = w.BuildRequest(
        card=str(card), output=str(folder / "decays"), quick=True, workers=1,
        cache=str(folder / "cache"),
    )  # fmt: skip
    w.build(built)
    return built.output


KINDS = (
    *STATISTICAL, *ON_ONE_MINIMUM, "inspect", "digest", "citation", "error", "plot", "export",
    "contour", "convert", "scan", "global", "shards", "patches", "members", "events", "publish",
    "verify", "simplify", "prune", "recast", "dark-higgs",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(
    repository: Path, records: dict[str, list[Record]], kind: str
) -> None:
    """Each field of each record, at any depth, stands in the reference."""
    reference = documented(repository)
    known = set().union(*(reference[title] for title in (kind, *SHARED.get(kind, ()))))
    there = {path for record in records[kind] for path in paths(record)}
    if kind == "error":  # fields of the error are those of its class
        there -= {"source", "hint", "what", "name"}
    assert there - known == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_documented_field_exists(
    repository: Path, records: dict[str, list[Record]], kind: str
) -> None:
    """What the section of a kind promises is in one of its records."""
    there = {path for record in records[kind] for path in paths(record)}
    promised = documented(repository)[kind] - {"references[].key", "references[].kind"}
    assert {field for field in promised - there if not field.startswith(FREE)} == set()


def test_every_kind_of_record_has_a_section(repository: Path) -> None:
    """The page has the schema names that the code has; documents are said to be workspaces."""
    sections = documented(repository)
    kinds = {schema.split("/")[0].removeprefix("darkstats.") for schema in SCHEMAS.values()}
    assert kinds - {"workspace"} <= set(sections)
    assert "combine`, `prune`, `rename`, `simplify" in sections
