"""Whether bundles of the searches are accepted by the programs that their readers use.

    PYTHONPATH=tests python tests/peers/accepted_bundles.py [--hypotheses N] [-o FILE] [SEARCH ...]

Each search is cut to N hypotheses (all by default) for the patches; two of them are scanned, so
that there is a submission. The record says for each program what was tried; ``--merge``
joins records of single searches, and ``page`` makes the page of them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from string import Template
from typing import Any

REPOSITORY = Path(__file__).parents[2]
SEARCHES = (
    "alp", "zprime_invisible_2018", "zprime_lfv_2018", "zprime_invisible_2020",
    "dark_higgsstrahlung",
)  # fmt: skip
Item = dict[str, Any]
STEP = 0.003  # farther off, many events make a likelihood below the least number of pyhs3


def plain(path: Path) -> Any:
    data = path.read_bytes()
    return json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)


def evenly(total: int, wanted: int) -> list[int]:
    return sorted({round(k * (total - 1) / max(wanted - 1, 1)) for k in range(min(wanted, total))})


def cut(search: Path, folder: Path, hypotheses: int) -> Path:
    """The documents of a search with some of its hypotheses, evenly chosen."""
    folder.mkdir(parents=True)
    for path in search.glob("background_only.*"):
        kept = folder / path.name.removesuffix(".gz")
        kept.write_text(json.dumps(plain(path)))
    points = plain(next(search.glob("patchset.json*")))
    chosen = evenly(len(points["patches"]), hypotheses)
    points["patches"] = [points["patches"][k] for k in chosen]
    (folder / "patchset.json").write_text(json.dumps(points))
    return folder


def published(source: Path, folder: Path, *, scanned: bool) -> Path:
    """The bundle of a folder of documents, with limits or without."""
    from darkstats.cli import run

    limits: list[str] = []
    if scanned:
        scan = folder.with_name(f"{folder.name}-scan")
        assert run(["scan", str(source), "-o", str(scan), "--workers", "1"]) == 0
        limits = ["--scan", str(scan)]
    assert run(["publish", str(source), "-o", str(folder), "--author", "A", *limits]) == 0
    return folder


# --- the programs -------------------------------------------------------------------------------


def pyhf_accepts(bundle: Path) -> str:
    """The workspace fits pyhf's schema; every patch applies, by pyhf, and makes a model there."""
    import pyhf

    points = pyhf.PatchSet(plain(bundle / "patchset.json"))
    background = plain(bundle / "background_only.json")
    points.verify(background)
    for patch in points:
        model = pyhf.Workspace(points.apply(background, patch.name)).model()
        assert model.config.poi_name is not None
    return f"{len(points)} patches apply, validate, and make a model"


def cabinetry_accepts(bundle: Path) -> str:
    """cabinetry loads the workspace of a hypothesis, makes model and data, and a prediction."""
    import cabinetry
    import pyhf

    points = pyhf.PatchSet(plain(bundle / "patchset.json"))
    patch = next(iter(points))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workspace.json"
        path.write_text(
            json.dumps(points.apply(plain(bundle / "background_only.json"), patch.name))
        )
        workspace = cabinetry.workspace.load(path)
        model, data = cabinetry.model_utils.model_and_data(workspace)
        prediction = cabinetry.model_utils.prediction(model)
    bins = sum(model.config.channel_nbins.values())
    assert len(data) == bins + len(model.config.auxdata)
    return f"{len(prediction.model_yields)} channels, {bins} bins, {model.config.npars} parameters"


def pyhs3_accepts(bundle: Path) -> str:
    """pyhs3 loads the document, with all its references resolved."""
    import pyhs3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        workspace = pyhs3.Workspace.load(str(bundle / "background_only.hs3.json"))
    names = [one.name for one in workspace.analyses]
    return f"analyses {', '.join(names)}; {len(workspace.distributions)} distributions"


def pyhs3_agrees(bundle: Path) -> str:
    """The likelihood of the first hypothesis in pyhs3 and here; relative difference."""
    import pyhs3

    from darkstats.model import compile_workspace
    from darkstats.model.hs3_writing import hs3_document
    from darkstats.workspace import read_patchset, read_workspace
    from peers.pyhs3_density import a_point, their_density

    patches = bundle / "patchset.json"
    workspace = read_workspace(
        bundle / "background_only.json", patchset=patches,
        point=read_patchset(patches).point_names[0],
    )  # fmt: skip
    model = compile_workspace(workspace)
    point = a_point(model, 1, STEP)
    ours = model.log_density(point, model.observation)
    theirs = their_density(pyhs3, hs3_document(workspace), point)
    apart = abs(theirs - ours) / abs(ours)
    assert apart < 1e-10, (theirs, ours)
    return f"log-likelihood {ours:.6f} in {model.n_bins} bins, {apart:.1e} apart"


def hepdata_accepts(bundle: Path) -> str:
    """HEPData's own validator takes the submission: schemas, files, resources; and its archive."""
    folder = bundle / "hepdata"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what jsonschema will drop
        from hepdata_validator.full_submission_validator import FullSubmissionValidator

        validator = FullSubmissionValidator(schema_version="1.1.1", autoload_remote_schemas=False)
        accepted = validator.validate(directory=str(folder))
    said = {name: [one.message for one in ms] for name, ms in validator.get_messages().items()}
    assert accepted, said
    with tarfile.open(folder / "likelihood.tar.gz") as archive:
        assert {"background_only.json", "patchset.json"} <= set(archive.getnames())
    files = [path for path in folder.iterdir() if path.suffix == ".yaml"]
    return f"schema 1.1.1: {len(files)} YAML files, 2 resources"


PROGRAMS: dict[str, Callable[[Path], str]] = {
    "pyhf": pyhf_accepts,
    "cabinetry": cabinetry_accepts,
    "pyhs3": pyhs3_accepts,
    "pyhs3, likelihood": pyhs3_agrees,
    "hepdata-validator": hepdata_accepts,
}


def tried(name: str, program: str, bundle: Path) -> Item:
    """What a program says of a bundle; how long it took is printed."""
    begin = time.monotonic()
    try:
        found: Item = {"accepted": True, "what": PROGRAMS[program](bundle)}
    except Exception as error:
        found = {"accepted": False, "what": f"{type(error).__name__}: {error}"[:300]}
    seconds = time.monotonic() - begin
    print(f"{name}: {program}: {found['what']} ({seconds:.1f} s)", file=sys.stderr, flush=True)  # noqa: T201 -- a script's progress
    return {"search": name, "program": program, **found}


def page(record: Item) -> str:
    """The page of a record."""
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    rows = [
        f"| `{row['search']}` | {row['program']} | {'yes' if row['accepted'] else '**no**'} | "
        f"{row['what']} |"
        for row in record["rows"]
    ]
    template = Path(__file__).with_name("accepted_bundles_page.md.in").read_text("utf-8")
    return Template(template).substitute(versions=versions, rows="\n".join(rows))


def main() -> int:
    """Publish, try all programs, and write the record."""
    from importlib.metadata import version

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("searches", nargs="*", default=SEARCHES)
    parser.add_argument("--hypotheses", type=int, default=10**9)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--merge", type=Path, nargs="*", default=[], help="records to join")
    asked = parser.parse_args()
    rows = [row for path in asked.merge for row in plain(path)["rows"]]
    if asked.merge:
        asked.searches = ()
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.searches:
            search = REPOSITORY / "workspaces" / name
            whole = cut(search, Path(folder) / name / "all", asked.hypotheses)
            few = cut(search, Path(folder) / name / "few", 2)
            bundle = published(whole, whole.with_name("bundle"), scanned=False)
            limits = published(few, few.with_name("limits"), scanned=True)
            for program in PROGRAMS:
                rows.append(tried(name, program, limits if "hepdata" in program else bundle))  # noqa: PERF401 -- each is slow
    packages = ("pyhf", "cabinetry", "pyhs3", "hepdata-validator")
    record = {
        "versions": {one: version(one) for one in packages},
        "rows": rows,
    }
    rows.sort(key=lambda row: SEARCHES.index(row["search"]))
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    if asked.output is None:
        print(text)  # noqa: T201 -- the record
    else:
        asked.output.write_text(text, "utf-8")
        asked.output.with_suffix(".md").write_text(page(record), "utf-8")
    return 0 if all(row["accepted"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
