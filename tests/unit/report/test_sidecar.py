"""Labels beside a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from darkstats.errors import DocumentError
from darkstats.report.sidecar import Sidecar, read_sidecar


def written(folder: Path, document: object) -> str:
    (folder / "w.meta.json").write_text(json.dumps(document))
    return str(folder / "w.json")


def test_no_sidecar_is_an_empty_one(tmp_path: Path) -> None:
    """Labels are optional, and standard input has none."""
    assert read_sidecar(str(tmp_path / "w.json")) == Sidecar()
    assert read_sidecar("-") == Sidecar()


def test_gzipped_workspaces_share_the_sidecar(tmp_path: Path) -> None:
    """w.json.gz has the labels of w.json."""
    source = written(tmp_path, {"schema": "darkstats.meta/1", "simulated": True})
    assert read_sidecar(source).simulated is True
    assert read_sidecar(source + ".gz").simulated is True


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "is no sidecar"),
        ({"simulated": True}, "is no sidecar"),
        ({"schema": "darkstats.meta/1", "simulated": "yes"}, r"/simulated: is no bool"),
        ({"schema": "darkstats.meta/1", "channels": []}, r"/channels: is no object"),
        (
            {"schema": "darkstats.meta/1", "channels": {"a": {"edges": [1, 1]}}},
            r"/channels/a/edges: are no rising numbers",
        ),
        (
            {"schema": "darkstats.meta/1", "channels": {"a": {"edges": [False, True]}}},
            r"/channels/a/edges: are no rising numbers",
        ),
        ({"schema": "darkstats.meta/1", "luminosity_ipb": "276"}, r"/luminosity_ipb: is no lumi"),
        ({"schema": "darkstats.meta/1", "luminosity_ipb": 0}, r"/luminosity_ipb: is no lumi"),
        ({"schema": "darkstats.meta/1", "luminosity_ipb": True}, r"/luminosity_ipb: is no lumi"),
        (
            {"schema": "darkstats.meta/1", "luminosity_ipb": 10**400},
            r"/luminosity_ipb: the number 1000",
        ),
        ({"schema": "darkstats.meta/1", "citation": []}, r"/citation: is no object"),
        ({"schema": "darkstats.meta/1", "citation": {"authors": "A"}}, r"/citation: has 'authors'"),
        ({"schema": "darkstats.meta/1", "citation": {"authors": []}}, r"/citation: has 'authors'"),
        ({"schema": "darkstats.meta/1", "citation": {"doi": ["x"]}}, r"/citation: has 'doi'"),
        ({"schema": "darkstats.meta/1", "citation": {"year": "1"}}, r"/citation: has 'year'"),
    ],
)
def test_a_faulty_sidecar_is_refused(tmp_path: Path, document: object, message: str) -> None:
    """Wrong labels are worse than none: the place is named."""
    with pytest.raises(DocumentError, match=message):
        read_sidecar(written(tmp_path, document))


@pytest.mark.parametrize("edges", [[0, 1], [0, 1, 2, 3]])
def test_edges_that_do_not_fit_are_refused(tmp_path: Path, edges: list[float]) -> None:
    """A figure of other bins is worse than none: the channel and both numbers are named."""
    document = {"schema": "darkstats.meta/1", "channels": {"SR": {"edges": edges}, "old": {}}}
    sidecar = read_sidecar(written(tmp_path, document))
    with pytest.raises(DocumentError, match=rf"/channels/SR/edges.*{len(edges)} edges.*2 bins"):
        sidecar.require_edges({"SR": 2, "CR": 1})
    sidecar.require_edges({"SR": len(edges) - 1, "CR": 1})
    sidecar.require_edges({"CR": 1})  # of a channel that was pruned


@pytest.mark.parametrize("verb", ["limit", "inspect", "fit"])
def test_every_verb_refuses_edges_that_do_not_fit(
    tmp_path: Path, repository: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """Whoever reads the workspace hears of its labels, whether a figure is drawn or not."""
    from darkstats.cli import run

    example = repository / "workspaces/examples/two_bins.json"
    (tmp_path / "w.json").write_bytes(example.read_bytes())
    name = json.loads(example.read_text("utf-8"))["channels"][0]["name"]
    labels = {"schema": "darkstats.meta/1", "channels": {name: {"edges": [0, 1]}}}
    assert run([verb, written(tmp_path, labels)]) == 2
    assert f"/channels/{name}/edges" in capsys.readouterr().err


def test_text_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """A broken sidecar is not passed over."""
    (tmp_path / "w.meta.json").write_text("{")
    with pytest.raises(DocumentError, match="not JSON"):
        read_sidecar(str(tmp_path / "w.json"))


def test_luminosity_and_citation_are_read(tmp_path: Path) -> None:
    """What a bundle is cited by, and the luminosity in 1/pb."""
    cited = {"authors": ["A. Uthor"], "doi": "10.1/x"}
    document = {"schema": "darkstats.meta/1", "luminosity_ipb": 276, "citation": cited}
    found = read_sidecar(written(tmp_path, document))
    assert found.luminosity_ipb == 276.0
    assert found.citation == cited
