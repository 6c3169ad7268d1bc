"""Fits and blocks of a scan are made to fail: points are right or failed, blocks there or not."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from darkstats.scan import limits
from darkstats.scan.event_tables import EventsOfScan
from darkstats.scan.settings import ScanSettings
from darkstats.scan.unbinned import unbinned_point
from darkstats.workspace.hs3 import Hs3Document
from darkstats.workspace.hs3.event_files import write_events
from failing_fits import Choice, FailingFits, at_random, every_lane, from_batch, whole_batches
from record_comparison import differences

if TYPE_CHECKING:
    from conftest import Call, Done

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "workspaces/examples/mass_scan"
SOURCE = (EXAMPLE / "background_only.json", "--patchset", EXAMPLE / "patchset.json")
SEARCH = REPOSITORY / "workspaces/zprime_lfv_2018"


def choices() -> list[tuple[str, Choice]]:
    """Faults, from the start."""
    return [
        ("some lanes", at_random(0.1, 11)),
        ("whole batches", whole_batches(0.03, 12)),
        ("more batches", whole_batches(0.15, 13)),
        ("later ones", from_batch(40)),
        ("everything", every_lane),
    ]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first masses of a built search."""
    folder = tmp_path_factory.mktemp("faults") / "search"
    shutil.copytree(SEARCH, folder)
    document = json.loads((folder / "patchset.json").read_text("utf-8"))
    document["patches"] = document["patches"][:6]
    text = json.dumps(document).encode()
    (folder / "patchset.json").write_bytes(text)
    record = json.loads((folder / "record.json").read_text("utf-8"))
    record["files"]["patchset.json"] = hashlib.sha256(text).hexdigest()
    (folder / "record.json").write_text(json.dumps(record), "utf-8")
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    """Two masses of the example, as arguments."""
    path = tmp_path_factory.mktemp("faults") / "patches.json"
    document = json.loads((EXAMPLE / "patchset.json").read_text("utf-8"))
    document["patches"] = document["patches"][:2]
    path.write_text(json.dumps(document), "utf-8")
    return EXAMPLE / "background_only.json", "--patchset", path


def check_points(expected: list[Any], found: list[Any], *, relative: float) -> int:
    """Every point is that of the undisturbed scan, or failed with its reason; how many failed."""
    assert [p["name"] for p in found] == [p["name"] for p in expected]
    failed = 0
    for one, other in zip(expected, found, strict=True):
        if other["status"] == "failed":
            assert other["reason"]
            assert (other["observed"], other["expected"]) == (None, [None] * 5)
            failed += 1
            continue
        if other["significance"] is None:
            assert other["significance_reason"]
        apart = list(differences(one, other, relative=relative, errors=relative < 1e-3))
        assert not apart, (one["name"], apart)
    return failed


def as_json(plain: Any) -> Any:
    """Tuples as lists."""
    return json.loads(json.dumps(plain))


def disturbed(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...], choice: Choice
) -> Done:
    with monkeypatch.context() as patch:
        FailingFits(patch, choice)
        return call(*words, "--workers", 1)


def check_scan(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    words: tuple[Any, ...],
    *,
    relative: float,
) -> list[int]:
    """Compare a scan with itself under all faults; failed points of each."""
    expected = call(*words, "-o", folder / "whole", "--workers", 1)
    assert expected.status == 0, expected.messages
    points, seen = expected.record["points"], []
    for name, choice in choices():
        done = disturbed(call, monkeypatch, (*words, "-o", folder / name), choice)
        record = json.loads((folder / name / "scan.json").read_text("utf-8"))
        failed = check_points(points, record["points"], relative=relative)
        assert record["summary"]["failed"] == failed
        assert done.status == int(failed == len(points)), (name, done.messages)
        lost = [p for p in record["points"] if p["status"] == "ok" and p["significance"] is None]
        assert bool(lost) == ("without a local significance" in record["summary"]["statement"])
        seen.append(failed)
    return seen


def test_a_point_is_right_or_failed(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = check_scan(call, monkeypatch, tmp_path, ("scan", *SOURCE), relative=1e-5)
    assert seen[-1] == 6
    assert any(0 < failed < 6 for failed in seen), seen


def test_a_credible_limit_is_right_or_failed(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, few: tuple[Any, ...]
) -> None:
    """The posterior stands without fits; best fit and significance do not."""
    words = ("scan", *few, "--method", "bayes", "--expected", "none", "--engine", "laplace")
    check_scan(call, monkeypatch, tmp_path, words, relative=1e-2)


def test_a_projection_is_right_or_failed(
    call: Call, monkeypatch: pytest.MonkeyPatch, search: Path
) -> None:
    words = ("project", search, "--lumi", "1,50", "--method", "cls")
    expected = call(*words, "--workers", 1)
    assert expected.status == 0, expected.messages
    for name, choice in choices():
        done = disturbed(call, monkeypatch, words, choice)
        failed = [
            check_points(one["points"], other["points"], relative=1e-5)
            for one, other in zip(expected.record["scans"], done.record["scans"], strict=True)
        ]
        assert failed == [scan["summary"]["failed"] for scan in done.record["scans"]], name
        assert done.status == int(sum(failed) == 12), (name, failed)


def test_toys_of_a_spectrum_with_failed_fits_are_counted(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The global p-value lies in the range that failed toys allow, and too many are said."""
    folder = tmp_path / "scan"
    assert call("scan", *SOURCE, "-o", folder, "--workers", 1).status == 0
    found = {}
    for name, choice in (
        ("whole", None),
        ("some", at_random(0.0003, 1)),
        ("many", at_random(0.2, 2)),
    ):
        shutil.copytree(folder, tmp_path / name)
        words = ("global", tmp_path / name, "--toys", 1024)
        if choice is None:
            done = call(*words, "--workers", 1)
        else:
            done = disturbed(call, monkeypatch, words, choice)
        assert done.status == int(name == "many"), done.messages
        (found[name],) = (m for m in done.record["methods"] if m["method"] == "toys")
    p = found["whole"]["p_global"]
    assert (found["whole"]["toys"]["failed"], found["whole"]["valid"]) == (0, True)
    for name, valid in (("some", True), ("many", False)):
        toys = found[name]["toys"]
        assert toys["failed"] > 0
        assert toys["ok"] + toys["failed"] == toys["asked"] == 1024
        assert found[name]["valid"] is valid
        assert found[name]["p_global_low"] <= p <= found[name]["p_global_high"]
    assert any("failed fit" in reason for reason in found["many"]["reasons"])


def one_toy() -> Choice:
    """The sixth lane of the first batch of 64, which is a block of toys."""
    blocks = itertools.count()
    return lambda n: np.full(n, n == 64 and next(blocks) == 0) & (np.arange(n) == 5)


@pytest.fixture
def scan_of_events(call: Call, tmp_path: Path) -> Path:
    """Folder of a finished scan of three masses of a committed bump hunt."""
    document = json.loads((REPOSITORY / "models/alp/unbinned.json").read_text("utf-8"))
    names = ("m_0p5033", "m_0p7525", "m_0p9979")
    document["analyses"] = [a for a in document["analyses"] if a["name"] in names]
    (tmp_path / "hunt.json").write_text(json.dumps(document), "utf-8")
    events = np.random.default_rng(5).exponential(0.6, 1500)
    facts = {"simulated": True, "spectrum": "diphoton_hard"}
    write_events(tmp_path / "events.npz", {"mgg_squared_gev2": events}, facts)
    folder = tmp_path / "scan"
    source = (tmp_path / "hunt.json", "--data", tmp_path / "events.npz")
    done = call("scan", *source, "-o", folder, "--workers", 1)
    assert done.status == 0, done.messages
    return folder


def test_toys_of_a_spectrum_of_events_with_failed_fits_are_counted(
    call: Call, monkeypatch: pytest.MonkeyPatch, scan_of_events: Path, tmp_path: Path
) -> None:
    """As above; without a fit of the background there are no toys to throw."""
    found = {}
    for name, choice in (
        ("whole", None),
        ("some", one_toy()),
        ("many", at_random(0.2, 2)),
        ("everything", every_lane),
    ):
        shutil.copytree(scan_of_events, tmp_path / name)
        words = ("global", tmp_path / name, "--toys", 192)
        if choice is None:
            done = call(*words, "--workers", 1)
        else:
            done = disturbed(call, monkeypatch, words, choice)
        assert done.status == int(name in {"many", "everything"}), (name, done.messages)
        if "error" not in done.record:
            (found[name],) = (m for m in done.record["methods"] if m["method"] == "toys")
    assert done.record["error"] == "FitFailedError"
    assert "the fit of the background to the data failed" in done.messages
    p = found["whole"]["p_global"]
    assert (found["whole"]["toys"]["failed"], found["whole"]["valid"]) == (0, True)
    assert (found["some"]["valid"], found["many"]["valid"]) == (True, False)
    for name in ("some", "many"):
        toys = found[name]["toys"]
        assert toys["failed"] == 1 if name == "some" else toys["failed"] > 30
        assert toys["ok"] + toys["failed"] == toys["asked"] == 192
        assert found[name]["p_global_low"] <= p <= found[name]["p_global_high"]


def test_a_point_of_events_is_right_or_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One mass of a committed bump hunt, its pseudo-data the expectation."""
    document = Hs3Document.from_document(
        json.loads((REPOSITORY / "models/alp/unbinned.json").read_text("utf-8"))
    )
    name, none = document.analysis_names[0], EventsOfScan(tables={})
    settings = ScanSettings(blind=True)
    expected = as_json(unbinned_point(document, name, none, settings).plain())
    assert expected["status"] == "ok"
    for title, choice in choices()[2:]:
        with monkeypatch.context() as patch:
            FailingFits(patch, choice)
            found = as_json(unbinned_point(document, name, none, settings).plain())
        if found["status"] == "failed":
            assert found["reason"]
            assert found["expected"] == [None] * 5
            continue
        assert not list(differences(expected, found, relative=1e-5)), title
    assert found["status"] == "failed"


def test_a_block_that_breaks_breaks_the_scan(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An error inside a block is no result: no record, and the next run takes up the rest."""
    words = ("scan", *SOURCE, "-o", tmp_path / "scan", "--workers", 1)
    point_of_model = limits.point_of_model

    def broken(name: str, *others: Any, **options: Any) -> Any:
        if name == "mass_1p8":
            raise ZeroDivisionError("a fault in the middle of a block")
        return point_of_model(name, *others, **options)

    with monkeypatch.context() as patch:
        patch.setattr(limits, "point_of_model", broken)
        done = call(*words)
    assert done.status == 1
    assert "a fault in the middle of a block" in done.messages
    assert not (tmp_path / "scan/scan.json").exists()
    again = call(*words)
    assert again.status == 0
    assert [p["status"] for p in again.record["points"]] == ["ok"] * 6
