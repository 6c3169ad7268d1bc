"""Bundles: written whole and reproducibly, and verified whatever was done to them."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkstats.cli import run

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def scanned(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished scan of the six masses of the example."""
    folder = tmp_path_factory.mktemp("scan") / "masses"
    source = repository / "workspaces/examples/mass_scan"
    assert run(["scan", str(source), "-o", str(folder), "--workers", "1"]) == 0
    return folder


@pytest.fixture(scope="module")
def published(repository: Path, scanned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the example with its limits."""
    output = tmp_path_factory.mktemp("bundles") / "masses"
    source = repository / "workspaces/examples/mass_scan"
    arguments = ["--scan", str(scanned), "--author", "A. Uthor", "-o", str(output)]
    assert run(["publish", str(source), *arguments]) == 0
    return output


@pytest.fixture
def bundle(published: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(published, tmp_path / "bundle"))


def files_of(folder: Path) -> Files:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def verified(bundle: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any]:
    """Exit status and record."""
    capsys.readouterr()
    status = run(["verify", str(bundle), "--workers", "1", "--json", *options])
    return status, json.loads(capsys.readouterr().out)


def sealed_again(bundle: Path) -> None:
    """What somebody would do who changes a file, and all checksums with it."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    for entry in manifest["files"]:
        data = (bundle / entry["name"]).read_bytes()
        entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    names = [entry["name"] for entry in manifest["files"]] + ["manifest.json"]
    lines = [f"{hashlib.sha256((bundle / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (bundle / "SHA256SUMS").write_text("".join(sorted(lines)))


def changed(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def places(record: Any, kind: str) -> list[str]:
    return [problem["place"] for problem in record["problems"] if problem["kind"] == kind]


# --- writing --------------------------------------------------------------------------------


def test_a_bundle_holds_what_a_reader_needs(published: Path) -> None:
    """Likelihood, HS3, signals, labels, limits, tables, submission, README, checksums."""
    names = set(files_of(published))
    assert names == {
        "CITATION.cff", "README.md", "SHA256SUMS", "background_only.json",
        "background_only.hs3.json", "background_only.meta.json", "hepdata/likelihood.hs3.json",
        "hepdata/likelihood.tar.gz", "hepdata/limits_signal_strength.yaml",
        "hepdata/p_values.yaml", "hepdata/submission.yaml", "limits.csv", "limits.json",
        "limits_signal_strength.tex", "manifest.json", "patchset.json", "signals.csv",
        "yields.csv", "yields.tex",
    }  # fmt: skip
    readme = (published / "README.md").read_text()
    assert "HS3:" not in readme  # nothing is lacking of it
    assert all(f"`{name}`" in readme for name in names - {"README.md"})


def test_checksums_are_those_of_sha256sum(published: Path) -> None:
    """SHA256SUMS is what ``sha256sum -c`` reads, and covers every other file."""
    lines = (published / "SHA256SUMS").read_text().splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in files_of(published).items()
        if name != "SHA256SUMS"
    }
    assert stated == found


def test_the_same_source_gives_the_same_bytes(
    repository: Path, scanned: Path, published: Path, tmp_path: Path
) -> None:
    """No date, no path of the machine, no order of a folder is in a bundle."""
    output = tmp_path / "elsewhere" / "again"
    source = repository / "workspaces/examples/mass_scan"
    arguments = ["--scan", str(scanned / "scan.json"), "--author", "A. Uthor", "-o", str(output)]
    assert run(["publish", str(source), *arguments]) == 0
    assert files_of(output) == files_of(published)


def test_the_date_is_that_of_the_epoch(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SOURCE_DATE_EPOCH dates a bundle; without it there is no date, and the manifest says why."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    source = str(repository / "workspaces/examples/two_bins.json")
    assert run(["publish", source, "-o", str(tmp_path / "dated")]) == 0
    citation = yaml.safe_load((tmp_path / "dated/CITATION.cff").read_text())
    assert str(citation["date-released"]) == "2023-11-14"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert run(["publish", source, "-o", str(tmp_path / "undated")]) == 0
    manifest = json.loads((tmp_path / "undated/manifest.json").read_text())
    assert manifest["date"] is None
    assert manifest["date_reason"]


def test_the_citation_is_one(published: Path) -> None:
    """CITATION.cff has what the format demands, and the authors that were given."""
    citation = yaml.safe_load((published / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["title"] == "Mass scan"
    assert citation["authors"] == [{"name": "A. Uthor"}]


def test_nobody_named_is_said(repository: Path, tmp_path: Path) -> None:
    """Where neither option nor sidecar names an author, citation and README say so."""
    source = str(repository / "workspaces/examples/two_bins.json")
    assert run(["publish", source, "-o", str(tmp_path / "b")]) == 0
    assert "authors not stated" in (tmp_path / "b/CITATION.cff").read_text()
    assert "authors: give --author" in (tmp_path / "b/README.md").read_text()


def test_the_sidecar_names_authors_and_more(repository: Path, tmp_path: Path) -> None:
    """``citation`` in the sidecar becomes fields of CITATION.cff."""
    shutil.copy(repository / "workspaces/examples/two_bins.json", tmp_path / "w.json")
    cited = {"authors": ["A. Uthor", "B. Elle"], "doi": "10.1/x", "license": "CC-BY-4.0"}
    meta = {"schema": "darkstats.meta/1", "title": "T: 1", "simulated": True, "citation": cited}
    (tmp_path / "w.meta.json").write_text(json.dumps(meta))
    assert run(["publish", str(tmp_path / "w.json"), "-o", str(tmp_path / "b")]) == 0
    citation = yaml.safe_load((tmp_path / "b/CITATION.cff").read_text())
    assert citation["title"] == "T: 1"
    assert [author["name"] for author in citation["authors"]] == cited["authors"]
    assert (citation["doi"], citation["license"]) == ("10.1/x", "CC-BY-4.0")


def test_no_limits_are_made_silently(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --scan there are no limits, and bundle and command say so."""
    source = str(repository / "workspaces/examples/mass_scan")
    assert run(["publish", source, "-o", str(tmp_path / "b")]) == 0
    assert "no --scan was given" in capsys.readouterr().out
    assert not (tmp_path / "b/limits.csv").exists()
    assert "No limits" in (tmp_path / "b/README.md").read_text()
    assert json.loads((tmp_path / "b/manifest.json").read_text())["limits_reason"]
    status, record = verified(tmp_path / "b", capsys=capsys)
    assert (status, record["state"]) == (0, "verified")


def test_limits_of_another_likelihood_are_refused(
    repository: Path, scanned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scan record is taken only if the digest of its inputs is that of the source."""
    source = shutil.copytree(repository / "workspaces/examples/mass_scan", tmp_path / "mass_scan")
    changed(source / "patchset.json", lambda d: d["patches"].pop())
    output = tmp_path / "b"
    status = run(["publish", str(source), "--scan", str(scanned), "-o", str(output)])
    assert status == 2
    assert "/provenance/inputs_sha256" in capsys.readouterr().err
    assert not output.exists()


def test_a_patch_that_does_not_fit_is_not_published(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written that verify would refuse."""
    source = shutil.copytree(repository / "workspaces/examples/mass_scan", tmp_path / "mass_scan")
    changed(
        source / "patchset.json",
        lambda d: d["patches"][2]["patch"][0].update(path="/channels/7/samples/0"),
    )
    assert run(["publish", str(source), "-o", str(tmp_path / "b")]) == 2
    assert "mass_1p6" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_an_unchanged_bundle_is_replaced(repository: Path, bundle: Path) -> None:
    """publish may write again what publish wrote."""
    source = str(repository / "workspaces/examples/mass_scan")
    assert run(["publish", source, "-o", str(bundle)]) == 0
    assert not (bundle / "limits.csv").exists()
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("what", ["foreign file", "edited file", "no bundle", "file", "link"])
def test_what_is_not_its_own_is_never_overwritten(
    repository: Path, bundle: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that publish did not write so, or another folder, stays as it is."""
    output = bundle
    if what == "foreign file":
        (bundle / "notes.txt").write_text("mine")
    elif what == "edited file":
        (bundle / "README.md").write_text("mine")
    elif what == "no bundle":
        (bundle / "manifest.json").unlink()
    elif what == "file":
        output = bundle / "README.md"
    else:
        output = bundle.with_name("link")
        output.symlink_to(bundle, target_is_directory=True)
    before = files_of(bundle)
    source = str(repository / "workspaces/examples/mass_scan")
    assert run(["publish", source, "-o", str(output)]) == 2
    assert str(output) in capsys.readouterr().err
    assert files_of(bundle) == before


def test_a_write_that_fails_leaves_the_earlier_bundle(
    repository: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written whole or not at all: a full disk in the middle changes nothing."""
    before, synced = files_of(bundle), []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    source = str(repository / "workspaces/examples/mass_scan")
    assert run(["publish", source, "-o", str(bundle)]) == 2
    assert files_of(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


def test_an_interrupt_between_the_renames_restores_the_earlier_bundle(
    repository: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C at the worst moment does not lose what was there."""
    before, rename = files_of(bundle), Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    source = str(repository / "workspaces/examples/mass_scan")
    assert run(["publish", source, "-o", str(bundle)]) == 130
    assert files_of(bundle) == before


def test_a_build_does_not_replace_a_bundle(bundle: Path) -> None:
    """A bundle of a built search has the record of the build: it is no build for all that."""
    from darkstats.errors import OptionError
    from darkstats.searches.output import require_free

    (bundle / "record.json").write_text("{}")
    with pytest.raises(OptionError, match="bundle"):
        require_free(bundle)


# --- verifying ------------------------------------------------------------------------------


def test_a_bundle_is_verified(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All files, patches, tables, and all limits with --all."""
    status, record = verified(published, "--all", capsys=capsys)
    assert (status, record["state"], record["problems"]) == (0, "verified", [])
    statements = {check["name"]: check["statement"] for check in record["checks"]}
    assert statements["computed again"].startswith("6 of 6")


def test_an_archive_of_a_bundle_is_verified(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ``tar czf`` packs it, with the folder in front."""
    packed = tmp_path / "masses.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(published, arcname="masses")
    status, record = verified(packed, "--points", "1", capsys=capsys)
    assert (status, record["kind"], record["problems"]) == (0, "bundle", [])


def test_it_says_what_was_not_computed(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A few limits are computed by default, and the rest is counted."""
    status, record = verified(published, "--points", "2", capsys=capsys)
    assert status == 0
    assert "4 stated limits were not computed again: --all does" in record["lacking"]
    run(["verify", str(published), "--workers", "1", "--points", "2"])
    first = capsys.readouterr().out.strip().splitlines()[0]
    assert "2 of 6 limits computed again: agree" in " ".join(first.split())


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("README.md", "Upper limits at 95 %", "Upper limits at 90 %"),
        ("README.md", "* 6 signal", "* 7 signal"),
        ("CITATION.cff", "A. Uthor", "A. Nother"),
    ],
)
def test_a_text_that_says_another_thing_is_found(
    bundle: Path, name: str, before: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Level, number of hypotheses, authors: checksums alone do not keep them."""
    text = (bundle / name).read_text("utf-8")
    assert before in text
    (bundle / name).write_text(text.replace(before, after), "utf-8")
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "1", capsys=capsys)
    assert status == 1
    (place,) = places(record, "differs")
    assert place.startswith(f"{name}, line ")
    run(["verify", str(bundle), "--workers", "1", "--points", "1"])
    first = " ".join(capsys.readouterr().out.split())
    assert "differs · 1 of 6 limits computed again: agree" in first  # the limits are not at fault
    manifest = bundle / "manifest.json"  # another version may have other words
    changed(manifest, lambda d: d.update(darkstats="0.0.1"))
    sealed_again(bundle)
    assert verified(bundle, "--points", "0", capsys=capsys)[0] == 0


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("simulated", False),
        ("workspace/file", "workspace.json"),
        ("workspace/canonical_sha256", "0" * 64),
        ("patch_set/labels", ["mass_mev"]),
        ("patch_set/file", "patches.json"),
        ("limits/file", "scan.json"),
        ("limits/inputs_sha256", "0" * 64),
    ],
)
def test_a_manifest_that_says_another_thing_is_found(
    bundle: Path, pointer: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it says of its documents is compared with them."""

    def change(document: Any) -> None:
        *parents, last = pointer.split("/")
        for key in parents:
            document = document[key]
        assert document[last] != value
        document[last] = value

    changed(bundle / "manifest.json", change)
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert places(record, "malformed") == [f"manifest.json: /{pointer}"]


def test_simulated_counts_are_not_called_data(
    bundle: Path, repository: Path, scanned: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A sidecar that says another thing than the limits: found, and not published so."""
    labels = bundle / "background_only.meta.json"
    changed(labels, lambda d: d.update(simulated=False))
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert f"{labels.name}: /simulated" in places(record, "malformed")
    source = Path(shutil.copytree(repository / "workspaces/examples/mass_scan", tmp_path / "s"))
    changed(source / labels.name, lambda d: d.update(simulated=False))
    capsys.readouterr()
    assert run(["publish", str(source), "--scan", str(scanned), "-o", str(tmp_path / "b")]) == 2
    assert f"/simulated: says True, and {labels.name} says False" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_the_verdict_is_not_lost_behind_a_long_path(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line has the name of the folder and the verdict; the path comes below."""
    deep = tmp_path / ("a_long_name_" * 6) / ("another_one_" * 6)
    deep.mkdir(parents=True)
    moved = bundle.rename(deep / "masses")
    capsys.readouterr()
    assert run(["verify", str(moved), "--workers", "1", "--points", "1"]) == 0
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith("masses: verified · 1 of 6 limits computed again: agree")
    assert str(tmp_path)[:20] in second


def test_a_replaced_bundle_is_told(
    bundle: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unchanged bundle is replaced, as of other verbs; not without a word."""
    source = repository / "workspaces/examples/mass_scan"
    capsys.readouterr()
    assert run(["publish", str(source), "-o", str(bundle)]) == 0
    assert "the bundle that was there" in capsys.readouterr().out
    fresh = bundle.with_name("fresh")
    assert run(["publish", str(source), "-o", str(fresh)]) == 0
    assert "the bundle that was there" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["background_only.json", "patchset.json", "README.md", "hepdata/p_values.yaml"]
)
def test_a_changed_byte_is_found(
    bundle: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One byte of any file: malformed, with the name of the file."""
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert (status, record["state"]) == (2, "malformed")
    assert name in places(record, "malformed")


@pytest.mark.parametrize(
    "name", ["patchset.json", "limits.json", "SHA256SUMS", "background_only.json", "yields.tex"]
)
def test_a_missing_file_is_found(
    bundle: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Malformed, with the name of the file."""
    (bundle / name).unlink()
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert name in places(record, "malformed")


def test_a_file_too_many_is_found(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the manifest does not list does not belong to the bundle."""
    (bundle / "hepdata/more.yaml").write_text("x: 1\n")
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert places(record, "malformed") == ["hepdata/more.yaml"]


def test_a_checksum_that_differs_from_the_manifest_is_found(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The two lists must say the same."""
    sums = (bundle / "SHA256SUMS").read_text()
    (bundle / "SHA256SUMS").write_text(sums.replace(sums[:8], "00000000", 1))
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert places(record, "malformed") == ["SHA256SUMS"]


def test_an_extra_patch_is_found(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A patch more, with all checksums made to fit: the limits belong to other documents."""

    def add(document: Any) -> None:
        extra = json.loads(json.dumps(document["patches"][0]))
        extra["metadata"] = {"name": "mass_9p9", "values": [9.9]}
        document["patches"].append(extra)

    changed(bundle / "patchset.json", add)
    status, _ = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    found = places(record, "malformed")
    assert "limits.json: /provenance/inputs_sha256" in found
    assert "manifest.json: /patch_set/points" in found
    assert any("mass_9p9" in problem["text"] for problem in record["problems"])


def test_another_background_is_found(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The digest of the patch set is not that of the workspace, whatever the checksums say."""
    changed(
        bundle / "background_only.json",
        lambda d: d["observations"][0]["data"].__setitem__(0, 12345.0),
    )
    sealed_again(bundle)
    status, record = verified(bundle, capsys=capsys)
    assert status == 2
    assert any("sha256" in problem["text"] for problem in record["problems"])


def test_a_changed_limit_in_a_table_is_found(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fitting checksums, too: tables are made again, and the line is named."""
    text = (bundle / "limits.csv").read_text()
    row = next(line for line in text.splitlines() if line.startswith("mass_1p6"))
    names = next(line for line in text.splitlines() if line.startswith("hypothesis")).split(",")
    cells = row.split(",")
    cells[names.index("signal_strength_observed")] = "0.1"
    (bundle / "limits.csv").write_text(text.replace(row, ",".join(cells)))
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert (status, record["state"]) == (1, "differs")
    number = text.splitlines().index(row) + 1
    assert places(record, "differs") == [f"limits.csv, line {number}"]


@pytest.mark.parametrize(
    ("field", "pointer"), [("observed", "observed"), ("expected", "expected/2"), ("p0", "p0")]
)
def test_a_changed_limit_everywhere_is_found(
    bundle: Path, field: str, pointer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Record, tables and checksums say the same wrong number: it is computed again."""

    def change(document: Any) -> None:
        point = document["points"][0]
        if field == "expected":
            point["expected"][2] *= 1.001
        else:
            point[field] *= 0.99

    changed(bundle / "limits.json", change)
    made_again(bundle)
    sealed_again(bundle)
    status, record = verified(bundle, capsys=capsys)
    assert (status, record["state"]) == (1, "differs")
    assert places(record, "differs") == [f"limits.json: /points/0/{pointer} (mass_1p2)"]
    assert "found" in record["problems"][0]["text"]


@pytest.fixture(scope="module")
def with_toys(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one mass, whose limit is by few toys."""
    folder = tmp_path_factory.mktemp("toys")
    source = repository / "workspaces/examples/mass_scan"
    patches = json.loads((source / "patchset.json").read_text())
    patches["patches"] = patches["patches"][:1]
    made = Path(shutil.copytree(source, folder / "masses"))
    (made / "patchset.json").write_text(json.dumps(patches))
    asked = ["--calculator", "toys", "--toys", "3000", "--workers", "1", "-o", str(folder / "scan")]
    assert run(["scan", str(made), *asked]) == 0
    output = folder / "bundle"
    assert run(["publish", str(made), "--scan", str(folder / "scan"), "-o", str(output)]) == 0
    return output


@pytest.mark.parametrize("version", ["", "0.0.1"])
def test_limits_by_toys_are_found_again_to_rounding(
    with_toys: Path, tmp_path: Path, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The seed is stated: so are the toys, unless another version drew them."""
    bundle = Path(shutil.copytree(with_toys, tmp_path / "bundle"))
    status, record = verified(bundle, capsys=capsys)
    assert (status, record["problems"]) == (0, [])

    def change(document: Any) -> None:
        document["points"][0]["observed"] *= 1.005
        document["provenance"]["versions"]["numpy"] += version

    changed(bundle / "limits.json", change)
    made_again(bundle)
    sealed_again(bundle)
    status, record = verified(bundle, capsys=capsys)
    wrong = [] if version else ["limits.json: /points/0/observed (mass_1p2)"]
    assert [p["place"] for p in record["problems"] if "observed" in p["place"]] == wrong


@pytest.mark.parametrize("as_folder", [True, False])
def test_the_limit_of_one_signal_is_published(
    repository: Path, tmp_path: Path, as_folder: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace with its signal is one hypothesis: scanned, published and verified."""
    made = tmp_path / "nt"
    made.mkdir()
    shutil.copy(repository / "workspaces/examples/two_bins.json", made / "workspace.json")
    meta = {"schema": "darkstats.meta/1", "simulated": True, "title": "Two bins"}
    (made / "workspace.meta.json").write_text(json.dumps(meta))
    source = str(made if as_folder else made / "workspace.json")
    scan, bundle = str(tmp_path / "scan"), tmp_path / "bundle"
    assert run(["scan", source, "-o", scan, "--workers", "1"]) == 0
    (point,) = json.loads((tmp_path / "scan/scan.json").read_text())["points"]
    assert point["observed"] == pytest.approx(1.965, abs=1e-3)
    assert run(["publish", source, "--scan", scan, "-o", str(bundle)]) == 0
    status, record = verified(bundle, capsys=capsys)
    assert (status, record["problems"]) == (0, [])
    assert "**Simulated**: its counts are no data." in (bundle / "README.md").read_text()
    assert "as in the workspace" not in (bundle / "limits.csv").read_text()


def test_a_workspace_without_a_signal_is_no_scan(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to give."""
    source = repository / "workspaces/examples/mass_scan/background_only.json"
    assert run(["scan", str(source), "-o", str(tmp_path / "scan"), "--workers", "1"]) == 2
    assert "has no signal" in capsys.readouterr().err


POINT = {
    "name": "a", "values": [1.0], "status": "ok", "observed": 1.0, "observed_error": 0.01,
    "expected": [1.0] * 5, "expected_error": [0.01] * 5,
    "warnings": ["expects 4.123456 events", "low counts"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("observed_error", 1e-4, "/observed_error"),
        ("observed_error", None, "/observed_error"),
        ("expected_error", [1e-4, *[0.01] * 4], "/expected_error/0"),
        ("warnings", ["expects 4.123456 events"], "/warnings"),
        ("warnings", ["expects 4.123456 events", "low counts", "another"], "/warnings"),
        ("warnings", ["expects 41.2 events", "low counts"], "/warnings"),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_errors_and_warnings_are_compared(key: str, value: object, place: str, same: bool) -> None:
    """What says how far to trust a limit is stated as well."""
    from darkstats.publication.recomputation import compare_point

    assert list(compare_point(POINT, POINT, 0, same=same)) == []
    rounded = {**POINT, "warnings": ["expects 4.1234557 events", "low counts"]}
    assert list(compare_point(rounded, POINT, 0, same=same)) == []
    found = list(compare_point({**POINT, key: value}, POINT, 0, same=same))
    assert found
    assert all(f"/points/0{place}" in one.place for one in found)


def made_again(bundle: Path) -> None:
    """Tables that fit a changed record."""
    from darkstats.publication.derived import derived_files
    from darkstats.publication.documents import Documents, try_hypotheses

    documents = Documents.read(files_of(bundle))
    _, signals = try_hypotheses(documents)
    for name, text in derived_files(
        documents, signals, "Mass scan", {}, carried=files_of(bundle)
    ).items():
        (bundle / name).write_text(text)


def test_a_limit_where_none_can_be_certified_is_found(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stated number that now fails is said not to be certified: exit 1."""
    from darkstats.errors import FitFailedError
    from darkstats.scan import limits

    def fails(*_: object, **__: object) -> None:
        raise FitFailedError("no certified minimum")

    monkeypatch.setattr(limits, "point_of_model", fails)
    status, record = verified(bundle, "--points", "1", capsys=capsys)
    assert status == 1
    assert places(record, "not certified") == ["limits.json: /points/3 (mass_1p8)"]
    assert "no certified minimum" in record["problems"][0]["text"]


@pytest.mark.parametrize(
    "name",
    ["../outside.txt", "/etc/hostname", "hepdata/../../outside.txt", "a\\..\\b", "C:/x", "", "."],
)
def test_a_name_that_leads_out_is_refused(
    bundle: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names of the manifest are looked up among the files that were found, and never opened."""
    outside = bundle.parent / "outside.txt"
    outside.write_text("secret")
    digest = hashlib.sha256(b"secret").hexdigest()
    changed(
        bundle / "manifest.json",
        lambda d: d["files"].append({"name": name, "size": 6, "sha256": digest}),
    )
    opened: list[str] = []
    open_file = os.open

    def watched(path: Any, *rest: Any, **more: Any) -> int:
        opened.append(os.path.realpath(path))
        return open_file(path, *rest, **more)

    monkeypatch.setattr(os, "open", watched)
    status, record = verified(bundle, capsys=capsys)
    assert (status, record["state"]) == (2, "malformed")
    assert "no name within the bundle" in record["problems"][0]["text"]
    assert opened
    assert [path for path in opened if not path.startswith(str(bundle.resolve()))] == []


@pytest.mark.parametrize("kind", ["file", "folder", "dangling", "pipe"])
def test_links_are_not_followed(
    bundle: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link in the place of a file, even to the same bytes, is malformed; so is a pipe."""
    target = bundle.parent / "target"
    if kind == "folder":
        (bundle / "hepdata").rename(target)
        (bundle / "hepdata").symlink_to(target, target_is_directory=True)
        name = "hepdata"
    else:
        name = "yields.tex"
        (bundle / name).rename(target)
        if kind == "pipe":
            os.mkfifo(bundle / name)
        else:
            (bundle / name).symlink_to(target if kind == "file" else bundle / "nowhere")
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert name in places(record, "malformed")


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"schema": "darkstats.bundle/2"}', b'{"schema": "darkstats.bundle/1"}']
)
def test_a_damaged_manifest_is_malformed(
    bundle: Path, text: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands there, the answer is a message and exit status 2."""
    (bundle / "manifest.json").write_bytes(text or b'["darkstats.bundle"]')
    status, record = verified(bundle, capsys=capsys)
    assert (status, record["state"]) == (2, "malformed")


def test_no_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the name."""
    assert run(["verify", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["coupling", "value", "cross section", "largest excess"])
def test_what_is_said_of_limits_is_checked_at_every_point(
    repository: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any fit: a coupling, a cross section or a mass that does not follow is found."""
    source = repository / "workspaces/zprime_invisible_2018"
    few = shutil.copytree(source, tmp_path / "zprime_invisible_2018")
    changed(few / "patchset.json", lambda d: d.update(patches=d["patches"][:3]))
    built = json.loads((few / "record.json").read_text())
    built["files"]["patchset.json"] = hashlib.sha256(
        (few / "patchset.json").read_bytes()
    ).hexdigest()
    (few / "record.json").write_text(json.dumps(built))
    scan, bundle = tmp_path / "scan", tmp_path / "bundle"
    assert run(["scan", str(few), "-o", str(scan), "--workers", "1"]) == 0
    assert run(["publish", str(few), "--scan", str(scan), "-o", str(bundle)]) == 0
    status, record = verified(bundle, "--all", capsys=capsys)
    assert (status, record["problems"]) == (0, [])

    def change(document: Any) -> None:
        point = document["points"][1]
        if what == "coupling":
            point["couplings"]["lmu_ltau"]["expected"][2] *= 1.00001
        elif what == "value":
            point["values"][0] = 0.88
        elif what == "cross section":
            point["cross_section_fb"]["observed"] *= 1.00001
        else:
            document["summary"]["largest_excess"]["significance"] += 1.0

    changed(bundle / "limits.json", change)
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 1
    pointer = {
        "coupling": "/points/1/couplings/lmu_ltau/expected/2 (m_1p1644)",
        "value": "/points/1/values (m_1p1644)",
        "cross section": "/points/1/cross_section_fb/observed (m_1p1644)",
        "largest excess": "/summary/largest_excess/significance",
    }
    assert f"limits.json: {pointer[what]}" in places(record, "differs")


@pytest.mark.parametrize(
    ("key", "value"), [("statement", "all is well"), ("expected_spectrum", {"largest": 1.5})]
)
def test_the_words_of_a_summary_are_checked(
    bundle: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the README repeats, and how far the expected spectrum biases windows."""
    changed(bundle / "limits.json", lambda d: d["summary"].update({key: value}))
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 1
    assert f"limits.json: /summary/{key}" in places(record, "differs")


@pytest.mark.parametrize(
    ("name", "pointer", "value"),
    [
        ("limits.json", "/points/3/CLs_exp", [1, 2, 3, 4, "5"]),
        ("limits.json", "/points/3/expected_error", 0),
        ("limits.json", "/points/3/twice_nll", 10**400),
        ("limits.json", "/points/3/mu_hat_reason", {}),
        ("limits.json", "/points/3/fits", 7),
        ("limits.json", "/seed", ""),
        ("limits.json", "/blind", 0),
        ("limits.json", "/prior", []),
        ("limits.json", "/points/3/observed", True),
        ("background_only.meta.json", "/channels/mass/edges", [0, 1]),
        ("background_only.meta.json", "/channels", 0),
        ("patchset.json", "/patches/2/patch", {}),
    ],
)
def test_a_field_of_another_kind_is_malformed(
    bundle: Path, name: str, pointer: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a point that is not computed again, too: file and pointer are named, exit 2."""
    *steps, last = pointer.strip("/").split("/")

    def change(document: Any) -> None:
        for step in steps:
            document = document[int(step) if isinstance(document, list) else step]
        document[last] = value

    changed(bundle / name, change)
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert (status, record["state"]) == (2, "malformed")
    said = " ".join(f"{one['place']} {one['text']}" for one in record["problems"])
    assert f"{name}: {pointer}" in said


@pytest.mark.parametrize("what", ["nothing", "coupling", "conversion"])
def test_couplings_of_a_model_of_ones_own_are_checked(
    repository: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They follow from the strengths by the conversion that the record states."""
    source = str(repository / "workspaces/examples/mass_scan")
    model = f"{source}/dark_vector.csv"
    scan, bundle = tmp_path / "scan", tmp_path / "bundle"
    asked = ["--cross-sections", model, "-o", str(scan), "--workers", "1"]
    assert run(["scan", source, *asked]) == 0
    assert run(["publish", source, "--scan", str(scan), "-o", str(bundle)]) == 0

    def change(document: Any) -> None:
        if what == "coupling":
            (coupling,) = document["points"][1]["couplings"].values()
            coupling["observed"] *= 1.001
        elif what == "conversion":
            del document["points"][1]["couplings"]

    if what != "nothing":
        changed(bundle / "limits.json", change)
        sealed_again(bundle)
    status, record = verified(bundle, "--points", "2", capsys=capsys)
    assert status == {"nothing": 0, "coupling": 1, "conversion": 2}[what]
    assert record["state"] == {0: "verified", 1: "differs", 2: "malformed"}[status]


# --- a built search -------------------------------------------------------------------------


def test_a_built_search_is_published_and_verified(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The documents are those of the build, byte for byte, so that the bundle can be scanned."""
    source = repository / "workspaces/zprime_invisible_2018"
    output = tmp_path / "bundle"
    assert run(["publish", str(source), "-o", str(output)]) == 0
    for path in source.iterdir():
        assert (output / path.name).read_bytes() == path.read_bytes()
    readme = (output / "README.md").read_text()
    assert "276 / pb" in readme
    assert "169 signal hypotheses" in readme
    rows = list(csv.reader((output / "yields.csv").read_text().splitlines()))
    (observation,) = json.loads((source / "background_only.json").read_text())["observations"]
    assert ["recoil", "observed", str(float(sum(observation["data"]))), ""] in rows
    status, record = verified(output, capsys=capsys)
    assert (status, record["problems"]) == (0, [])


# --- likelihoods of others ------------------------------------------------------------------


def test_a_foreign_folder_is_checked_and_told_what_it_lacks(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Background and patch set alone: digests, patches; what is lacking is listed; exit 0."""
    source = repository / "workspaces/examples/mass_scan"
    for name in ("background_only.json", "patchset.json"):
        shutil.copy(source / name, tmp_path / name)
    status, record = verified(tmp_path, capsys=capsys)
    assert (status, record["kind"], record["state"]) == (0, "foreign", "no fault found")
    lacking = {words.partition(":")[0] for words in record["lacking"]}
    assert lacking == {"manifest", "citation", "luminosity", "axes", "units", "limits"}


def test_a_foreign_patch_set_of_another_workspace_is_malformed(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No workspace beside it has its digest."""
    source = repository / "workspaces/examples"
    shutil.copy(source / "two_bins.json", tmp_path / "two_bins.json")
    shutil.copy(source / "mass_scan/patchset.json", tmp_path / "patchset.json")
    status, record = verified(tmp_path, capsys=capsys)
    assert status == 2
    assert places(record, "malformed") == ["patchset.json"]


def test_foreign_loose_patches_are_applied_to_the_workspace_beside_them(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive of regions with a patch for each signal; one that does not fit is named."""
    source = repository / "workspaces/examples/mass_scan"
    points = json.loads((source / "patchset.json").read_text())["patches"]
    for region in ("A", "B"):
        (tmp_path / region).mkdir()
        shutil.copy(source / "background_only.json", tmp_path / region / "BkgOnly.json")
        (tmp_path / region / "patch.1.json").write_text(json.dumps(points[0]["patch"]))
    packed = tmp_path / "likelihoods.tar.gz"

    def pack() -> None:
        with tarfile.open(packed, "w:gz") as archive:
            for region in ("A", "B"):
                archive.add(tmp_path / region, arcname=region)

    pack()
    status, record = verified(packed, capsys=capsys)
    assert (status, record["problems"]) == (0, [])
    (tmp_path / "B/patch.1.json").write_text('[{"op": "remove", "path": "/channels/5"}]')
    pack()
    status, record = verified(packed, capsys=capsys)
    assert status == 2
    assert places(record, "malformed") == ["B/patch.1.json"]


def test_a_folder_without_a_likelihood_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nothing to check."""
    (tmp_path / "notes.txt").write_text("nothing")
    assert run(["verify", str(tmp_path)]) == 2
    assert "holds no workspace" in capsys.readouterr().err


def test_checksums_agree_with_the_system(published: Path) -> None:
    """``sha256sum -c`` says the same, where there is one."""
    if shutil.which("sha256sum") is None:
        return
    done = subprocess.run(
        ["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=published, check=False, timeout=60
    )
    assert done.returncode == 0


# --- HS3, and what a submission carries --------------------------------------------------------

HS3 = "background_only.hs3.json"


def test_hs3_is_the_workspace_of_the_bundle(published: Path) -> None:
    """Read as a workspace it has its channels and data, and bin edges of the sidecar are kept."""
    from darkstats.workspace.hs3 import read_hs3
    from darkstats.workspace.hs3.histfactory import histfactory_workspace

    document = read_hs3(published / HS3)
    found = histfactory_workspace(document)
    wanted = json.loads((published / "background_only.json").read_text())
    assert found["channels"] == wanted["channels"]
    assert found["observations"] == wanted["observations"]
    labels = json.loads((published / "background_only.meta.json").read_text())
    (axis,) = document.document["data"][0]["axes"]
    assert axis["edges"] == labels["channels"]["mass"]["edges"]
    manifest = json.loads((published / "manifest.json").read_text())
    assert manifest["hs3"] == {"file": HS3, "version": "0.2"}


def yields(document: Any) -> Any:
    return document["distributions"][0]["samples"][0]["data"]["contents"]


WRONG: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "a yield": (lambda d: yields(d).__setitem__(3, yields(d)[3] * (1 + 1e-6)), "differs",
                "expected events at the start, bin 3 of channel 'mass'"),
    "a count": (lambda d: d["data"][0]["contents"].__setitem__(5, 1e4), "differs",
                "observed events, bin 5 of channel 'mass'"),
    "a range": (lambda d: d["domains"][0]["axes"][0].update(max=9.0), "differs",
                "upper of"),
    "a held parameter": (lambda d: d["parameter_points"][0]["parameters"][0].update(const=True),
                         "differs", "fixed of"),
    "a channel less": (lambda d: d["distributions"][0]["samples"].pop(), "differs",
                       "has other parameters"),
    "a modifier": (
        lambda d: d["distributions"][0]["samples"][0]["modifiers"][0].update(type="custom"),
        "malformed", "of type 'custom'"),
    "another version": (lambda d: d["metadata"].update(hs3_version="9"), "malformed", "HS3 9"),
    "another analysis": (lambda d: d["analyses"][0].update(name="x"), "malformed",
                         "unknown analysis"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_hs3_that_says_another_thing_is_found(
    bundle: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """A wrong number is found although all checksums fit, in the file and in its copy."""
    change, kind, words = WRONG[what]
    changed(bundle / HS3, change)
    shutil.copy(bundle / HS3, bundle / "hepdata/likelihood.hs3.json")
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == {"differs": 1, "malformed": 2}[kind]
    assert all(place.startswith(HS3) for place in places(record, kind))
    assert words in " ".join(problem["text"] for problem in record["problems"])


def test_a_submission_carries_likelihood_and_signals(published: Path) -> None:
    """Resources of HEPData's types lie beside submission.yaml; the archive holds the documents."""
    head = next(yaml.safe_load_all((published / "hepdata/submission.yaml").read_text()))
    kinds = {one["location"]: one["type"] for one in head["additional_resources"]}
    assert kinds == {"likelihood.tar.gz": "HistFactory", "likelihood.hs3.json": "HS3"}
    assert all((published / "hepdata" / name).is_file() for name in kinds)
    with tarfile.open(published / "hepdata/likelihood.tar.gz") as archive:
        members = {one.name: one for one in archive.getmembers()}
        assert set(members) == {"background_only.json", "patchset.json", "README.md"}
        assert {(one.mtime, one.uid, one.uname) for one in members.values()} == {(0, 0, "")}
        for name in ("background_only.json", "patchset.json"):
            stream = archive.extractfile(members[name])
            assert stream is not None
            assert stream.read() == (published / name).read_bytes()


@pytest.mark.parametrize("name", ["likelihood.tar.gz", "likelihood.hs3.json"])
def test_a_resource_of_something_else_is_found(
    bundle: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """An archive of other documents, or another HS3, is malformed or differs; so does garbage."""
    from darkstats.publication.documents import Documents
    from darkstats.publication.resources import likelihood_archive

    path = bundle / "hepdata" / name
    if name.endswith("json"):
        changed(path, lambda d: d["metadata"].update(description="another"))
    else:
        files = files_of(bundle)
        documents = Documents.read(files)
        path.write_bytes(likelihood_archive(documents, files, "Another title"))
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status in (1, 2)
    assert record["problems"][0]["place"].startswith(f"hepdata/{name}")
    path.write_bytes(b"garbage")
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert status == 2
    assert places(record, "malformed")[0].startswith(f"hepdata/{name}")


def test_a_bundle_of_an_earlier_darkstats_has_no_hs3(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without HS3 and resources a bundle is verified as before, and it is said."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    gone = {HS3, "hepdata/likelihood.tar.gz", "hepdata/likelihood.hs3.json"}
    for name in gone:
        (bundle / name).unlink()
    manifest["files"] = [one for one in manifest["files"] if one["name"] not in gone]
    manifest |= {"hs3": None, "darkstats": "0.0.1"}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    head, *rest = yaml.safe_load_all((bundle / "hepdata/submission.yaml").read_text())
    head.pop("additional_resources")
    from darkstats.report.hepdata import submission_texts

    texts = submission_texts({"submission.yaml": [head, *rest]})
    (bundle / "hepdata/submission.yaml").write_text(texts["submission.yaml"])
    sealed_again(bundle)
    status, record = verified(bundle, "--points", "0", capsys=capsys)
    assert (status, record["problems"]) == (0, [])
    assert {"name": "HS3", "statement": "none is stated"} in record["checks"]
    manifest["hs3"] = {"file": HS3, "version": "0.2"}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    sealed_again(bundle)
    assert verified(bundle, "--points", "0", capsys=capsys)[0] == 2


def test_an_archive_of_a_bundle_has_one_workspace(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy in the archive of the submission is no second workspace; its name is not needed."""
    path = tmp_path / "bundle.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(published, "bundle")
    words = ["--patchset", f"{path}", "--point", "mass_1p2"]
    assert run(["digest", str(path), *words, "--json"]) == 0
    source = json.loads(capsys.readouterr().out)["source"]
    assert source == f"{path}:bundle/background_only.json + mass_1p2"


def test_hs3_can_be_published(
    example_workspaces: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A document of HistFactory channels is published as the workspace that it is."""
    path = tmp_path / "three.hs3.json"
    assert run(["hs3", str(example_workspaces["three_channels"]), "-o", str(path)]) == 0
    assert run(["publish", str(path), "-o", str(tmp_path / "bundle")]) == 0
    status, record = verified(tmp_path / "bundle", capsys=capsys)
    assert (status, record["problems"]) == (0, [])
    manifest = json.loads((tmp_path / "bundle/manifest.json").read_text())
    assert manifest["hs3"] == {"file": "workspace.hs3.json", "version": "0.2"}
    assert {"name": "HS3", "statement": "the same likelihood as the workspace"} in record["checks"]
