"""Which files go with a question: what it names, what belongs to it, and nothing else."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from darkstats.errors import OptionError
from darkstats.service.questions import asked_of
from darkstats.service.sending import gather

DIGEST = "0" * 64


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "ws.json").write_text("{}")
    (folder / "ws.meta.json").write_text("{}")
    (folder / "other.json").write_text("{}")
    (folder / "search").mkdir()
    for name in ("background_only.json", "patchset.json", ".secret"):
        (folder / "search" / name).write_text("{}")
    (tmp_path / "outside.json").write_text('{"file": "../here/other.json"}')
    return folder


def test_a_file_goes_with_its_sidecar(here: Path) -> None:
    sent = gather({"source": "ws.json", "cl": 0.9}, asked_of("limit"))
    assert sorted(sent.read()) == ["ws.json", "ws.meta.json"]
    assert sent.with_digest(DIGEST) == {"source": f"sha256:{DIGEST}/ws.json", "cl": 0.9}


def test_a_folder_goes_as_a_whole_but_for_hidden_files(here: Path) -> None:
    sent = gather({"source": "search/"}, asked_of("scan"))
    assert sorted(sent.read()) == ["search/background_only.json", "search/patchset.json"]
    assert sent.with_digest(DIGEST)["source"] == f"sha256:{DIGEST}/search"


def test_members_patterns_and_names_stay_what_they_are(here: Path) -> None:
    asked = asked_of("limit")
    sent = gather({"source": "ws.json:A/b.json", "patches": ("*.json",)}, asked)
    found = sent.with_digest(DIGEST)
    assert found["source"] == f"sha256:{DIGEST}/ws.json:A/b.json"
    assert found["patches"] == [f"sha256:{DIGEST}/*.json"]
    assert set(sent.read()) == {"ws.json", "ws.meta.json", "other.json"}
    named = gather({"sources": ("sr=ws.json",)}, asked_of("convert")).with_digest(DIGEST)
    assert named == {"sources": [f"sr=sha256:{DIGEST}/ws.json"]}
    pairs = gather({"decays": (("ctau", "other.json"),)}, asked_of("recast")).with_digest(DIGEST)
    assert pairs == {"decays": [["ctau", f"sha256:{DIGEST}/other.json"]]}


def test_a_value_that_may_be_a_file_is_one_where_there_is_one(here: Path) -> None:
    asked = asked_of("limit")
    for value, found in (
        ("flat", "flat"), ("table:ws.json", f"table:sha256:{DIGEST}/ws.json"),
        ("table:none.json", "table:none.json"), ("search", "search"),
    ):  # fmt: skip
        assert gather({"prior": value}, asked).with_digest(DIGEST)["prior"] == found


def test_a_document_elsewhere_gets_its_own_name_and_takes_nothing_with_it(here: Path) -> None:
    """What a document names outside of its folder stays where it is."""
    sent = gather({"source": "../outside.json"}, asked_of("limit"))
    assert list(sent.read()) == ["outside.json"]
    (here / "link.json").symlink_to("/etc/hostname")
    (here / "card.yaml").write_text("a: link.json\nb: other.json\nc: /etc/hostname\n")
    sent = gather({"card": "card.yaml"}, asked_of("template build"))
    assert sorted(sent.read()) == ["card.yaml", "other.json"]


def test_standard_input_is_sent(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    sent = gather({"source": "-"}, asked_of("limit"))
    assert sent.read() == {"standard-input.json": b"{}"}


def test_two_files_of_one_name_are_refused(here: Path) -> None:
    (here.parent / "ws.json").write_text(json.dumps([]))
    with pytest.raises(OptionError, match="one name"):
        gather({"source": "ws.json", "patches": ("../ws.json",)}, asked_of("limit"))


def test_files_that_are_written_keep_their_last_name(here: Path) -> None:
    sent = gather({"result": "ws.json", "csv": "deep/folder/x.csv"}, asked_of("export"))
    assert sent.with_digest(DIGEST)["csv"] == "x.csv"
