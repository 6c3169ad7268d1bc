"""One question, four verbs: the same number, or the same refusal."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from darkstats.cli import run
from darkstats.errors import NotCertifiedError
from darkstats.inference.bayes import credible_limit
from darkstats.inference.bayes.gate import Diagnosis, refusal
from darkstats.inference.bayes.laplace.from_nodes import LaplaceAnswer
from darkstats.scan.limits import compile_point
from darkstats.scan.mass_hypotheses import MassHypothesis
from darkstats.scan.projection import projected
from darkstats.scan.settings import ScanSettings
from darkstats.workspace import read_patchset

SEARCH = Path(__file__).parents[2] / "workspaces/zprime_invisible_2018"
CODES = "normsys=code4,histosys=code4p"
NAMES = ("m_0p5000", "m_7p0832")


def search_at(folder: Path, luminosity_ifb: float) -> Path:
    """A few hypotheses of the search, as if it had been built at another luminosity."""
    shutil.copytree(SEARCH, folder)
    patches = json.loads((folder / "patchset.json").read_text("utf-8"))
    kept = [p for p in patches["patches"] if p["metadata"]["name"] in NAMES]
    if luminosity_ifb > 1.0:  # many events take seconds for each verb
        kept = kept[-1:]
    empty = {"channels": [], "observations": [], "measurements": [{}], "version": "1.0.0"}
    for patch in kept:
        document: dict[str, Any] = json.loads(json.dumps(empty))
        for op in patch["patch"]:
            if op["path"] in {"/channels", "/observations"}:
                document[op["path"][1:]] = op["value"]
            elif op["path"] == "/measurements/0/config":
                document["measurements"] = [{"name": "m", "config": op["value"]}]
        scaled = projected(document, 1e3 * luminosity_ifb / 276.0, systematics="same")
        for op in patch["patch"]:
            if op["path"] in {"/channels", "/observations"}:
                op["value"] = scaled[op["path"][1:]]
    patches["patches"] = kept
    text = json.dumps(patches)
    (folder / "patchset.json").write_text(text, "utf-8")
    build = json.loads((folder / "record.json").read_text("utf-8"))
    build["files"]["patchset.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "record.json").write_text(json.dumps(build), "utf-8")
    return folder


def points_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(record["points"], key=lambda point: point["name"])


def four_answers(folder: Path, tmp_path: Path, capsys: Any) -> list[list[tuple[Any, Any]]]:
    """Expected limit and reason of each hypothesis, from each verb."""

    def called(*words: object) -> Any:
        capsys.readouterr()
        run([str(word) for word in (*words, "--json")])
        return json.loads(capsys.readouterr().out)

    document = json.loads((folder / "background_only.json").read_text("utf-8"))
    points = read_patchset(folder / "patchset.json")
    settings = ScanSettings(method="bayes", cl=0.9, interpolation=CODES)
    single = []
    for one in map(MassHypothesis.of_point, sorted(points, key=lambda point: point.name)):
        try:
            limit = credible_limit(compile_point(document, one, settings), cl=0.9, blind=True)
            single.append((limit.expected[2], limit.expected_reason))
        except NotCertifiedError as error:
            single.append((None, str(error)))
    method = ("--method", "bayes", "--cl", "0.9")
    scan = called("scan", folder, *method, "--blind", "--workers", 1, "-o", tmp_path / "scan")
    projection = called("project", folder, *method, "--lumi", "0.276", "--workers", 1)
    shards = tmp_path / "shards"
    called("shards", "plan", folder, *method, "--blind", "-o", shards)
    called("shards", "run", shards, "--shard", 0, "--of", 1)
    merged = called("shards", "merge", shards)
    answers = [single]
    for found in (scan, projection, merged):
        record = found["scans"][0] if "scans" in found else found
        answers.append(
            [
                ((p.get("expected") or [None] * 5)[2], p.get("reason") or p.get("expected_reason"))
                for p in points_of(record)
            ]
        )
    return answers


@pytest.mark.parametrize("luminosity_ifb", [0.276, 50_000.0])
def test_four_verbs_give_one_number(
    luminosity_ifb: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = search_at(tmp_path / "search", luminosity_ifb)
    single, *others = four_answers(folder, tmp_path, capsys)
    assert all(value is not None for value, _ in single)
    for verb in others:
        for (value, _), (here, _) in zip(single, verb, strict=True):
            assert here == pytest.approx(value, rel=1e-4)


def test_four_verbs_give_one_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No engine has an answer for any outcome: every verb says so, in the same words."""

    def closed(_: Any, rows: Any, **__: Any) -> list[LaplaceAnswer]:
        found = refusal(Diagnosis(limit=1.0, error=0.0, effective=9.0, pareto_k=34.0))
        return [LaplaceAnswer(limit=1.0, problem=found)] * len(rows)

    monkeypatch.setattr("darkstats.inference.bayes.expected.laplace_posteriors", closed)
    folder = search_at(tmp_path / "search", 50_000.0)
    for verb in four_answers(folder, tmp_path, capsys):
        for value, reason in verb:
            assert value is None
            assert "effective size 9, Pareto shape 34" in reason
