"""A single limit keeps the default of its command, and says where its search quotes another one."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from darkstats.errors import InputError
from darkstats.workflows import LimitRequest, ModelRequest, WorkspaceRequest, limit
from darkstats.workflows.stated_limits import StatedLimit, other_limit_note, stated_limit

NOTE = "the search quotes limits at 90 % CL (CLs); this one is at 95 % CL (CLs): give --cl 0.9"


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    """A small workspace with its patches, which the record of a build lies beside."""
    shutil.copytree(repository / "workspaces/examples/mass_scan", tmp_path / "built")
    write_record(tmp_path / "built", {"method": "cls", "cl": 0.9})
    return tmp_path / "built"


def write_record(folder: Path, statistics: object, **changed: object) -> None:
    record = {
        "schema": "darkstats.build/1",
        "files": {"background_only.json": "", "patchset.json": ""},
        "statistics": statistics,
        **changed,
    }
    (folder / "record.json").write_text(json.dumps(record), "utf-8")


def request_of(folder: Path, **asked: Any) -> LimitRequest:
    source = WorkspaceRequest(
        source=str(folder / "background_only.json"),
        patchset=str(folder / "patchset.json"), point="mass_1p8",
    )  # fmt: skip
    return LimitRequest(model=ModelRequest(workspace=source), calculator="asymptotic", **asked)


def test_level_of_the_search_is_told_in_record_and_sheet(folder: Path) -> None:
    outcome = limit(request_of(folder))
    assert NOTE in outcome.record()["workspace_warnings"]
    written = io.StringIO()
    Console(file=written, width=200).print(outcome.sheet())
    assert NOTE in written.getvalue()


def test_the_number_stays(folder: Path) -> None:
    told = limit(request_of(folder)).record()
    (folder / "record.json").unlink()
    alone = limit(request_of(folder)).record()
    assert told["observed"] == alone["observed"]
    assert told["cl"] == alone["cl"] == 0.95
    assert alone["workspace_warnings"] == []


@pytest.mark.parametrize("cl", [0.9, 0.95])
def test_who_gives_a_level_has_chosen_it(folder: Path, cl: float) -> None:
    assert limit(request_of(folder, cl=cl)).record()["workspace_warnings"] == []


@pytest.mark.parametrize(
    ("asked", "stated", "remedy"),
    [
        ({}, ("bayes", 0.9), "--method bayes --cl 0.9"),
        ({"cl": 0.9}, ("bayes", 0.9), "--method bayes"),
        ({"method": "cls"}, ("bayes", 0.9), "--cl 0.9"),
        ({"method": "cls", "cl": 0.95}, ("bayes", 0.9), None),
        ({}, ("cls", 0.95), None),
        ({}, ("clsb", 0.95), "--method clsb --cl 0.95"),
        ({"method": "clsb"}, ("cls", 0.95), None),
        ({"method": "clsb"}, ("cls", 0.9), "--cl 0.9"),
        ({"method": "clsb", "cl": 0.95}, ("cls", 0.9), None),
    ],
)
def test_what_was_left_to_its_default_is_told(
    folder: Path, asked: dict[str, Any], stated: tuple[str, float], remedy: str | None
) -> None:
    found = other_limit_note(
        request_of(folder, **asked), StatedLimit(method=stated[0], cl=stated[1])
    )
    assert (found and found.partition(": give ")[2]) == remedy


def test_a_posterior_of_the_level_of_the_search_is_as_it_quotes(folder: Path) -> None:
    request = LimitRequest(model=request_of(folder).model, method="bayes")
    assert other_limit_note(request, StatedLimit(method="bayes", cl=0.9)) is None


@pytest.mark.parametrize(
    "changed", [{"schema": "another/1"}, {"files": {"other.json": ""}}, {"statistics": None}]
)
def test_a_record_of_something_else_says_nothing(folder: Path, changed: dict[str, object]) -> None:
    write_record(folder, **{"statistics": {"method": "cls", "cl": 0.9}, **changed})
    assert limit(request_of(folder)).record()["workspace_warnings"] == []


@pytest.mark.parametrize(
    "statistics", [{"cl": 0.9}, {"method": "cls", "cl": "high"}, {"method": "cls", "cl": 90.0},
                   {"method": "guess", "cl": 0.9}, [1]],
)  # fmt: skip
def test_statistics_that_cannot_be_are_refused_with_their_file(
    folder: Path, statistics: object
) -> None:
    write_record(folder, statistics)
    with pytest.raises(InputError, match=r"record\.json: statistics"):
        limit(request_of(folder))


def test_a_damaged_record_is_told(folder: Path) -> None:
    (folder / "record.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"record\.json: not the record of a build"):
        limit(request_of(folder))


def test_a_document_of_events_says_it_itself() -> None:
    document = SimpleNamespace(search={"statistics": {"method": "bayes", "cl": 0.9}})
    likelihood: Any = SimpleNamespace(events=(document, None))
    assert stated_limit("unbinned.json", likelihood) == StatedLimit(method="bayes", cl=0.9)


@pytest.mark.parametrize("name", ["zprime_mumu", "single_photon", "dark_higgsstrahlung", "alp"])
def test_shipped_searches_say_what_they_quote(repository: Path, name: str) -> None:
    folder = repository / "workspaces" / name
    workspace = next(folder.glob("background_only.json*"))
    record = json.loads((folder / "record.json").read_text("utf-8"))
    stated = StatedLimit(**record["statistics"], benchmarks=tuple(record["benchmarks"]))
    likelihood: Any = SimpleNamespace(events=None)
    assert stated_limit(str(workspace), likelihood) == stated
