"""Bundles in the hands of others: pyhf, cabinetry, pyhs3, and HEPData's own validator.

Two hypotheses of each search stand for all; ``accepted_bundles.py`` tries more, and the page
``docs/studies/accepted-bundles.md`` says what it found.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from peers.accepted_bundles import PROGRAMS, REPOSITORY, SEARCHES, cut, page, published

#: The planes hold millions of numbers: the study has them.
QUICK = ("alp", "zprime_invisible_2018", "zprime_lfv_2018")
MODULES = {"pyhf": "pyhf", "cabinetry": "cabinetry", "pyhs3": "pyhs3",
           "hepdata-validator": "hepdata_validator"}  # fmt: skip


@pytest.fixture(scope="module", params=QUICK)
def bundles(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two hypotheses of a search, with limits."""
    folder = tmp_path_factory.mktemp("accepted")
    source = cut(REPOSITORY / "workspaces" / request.param, folder / "source", 2)
    return published(source, folder / "bundle", scanned=True)


@pytest.mark.parametrize("program", MODULES)
def test_a_bundle_is_accepted(bundles: Path, program: str) -> None:
    """The program reads what a bundle holds for it, without an error."""
    if importlib.util.find_spec(MODULES[program]) is None:
        pytest.skip(f"{program} is not installed: pip install 'darkstats[all]'")
    assert PROGRAMS[program](bundles)


def test_the_validator_of_hepdata_refuses_what_is_wrong(bundles: Path, tmp_path: Path) -> None:
    """The check can fail: a missing resource, and a resource of an unknown form, are refused."""
    pytest.importorskip("hepdata_validator", reason="hepdata-validator is not installed")
    folder = tmp_path / "hepdata"
    folder.mkdir()
    for path in (bundles / "hepdata").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert PROGRAMS["hepdata-validator"](tmp_path)
    (folder / "likelihood.hs3.json").rename(folder / "other.json")
    with pytest.raises(AssertionError, match=r"likelihood\.hs3\.json"):
        PROGRAMS["hepdata-validator"](tmp_path)
    (folder / "other.json").rename(folder / "likelihood.hs3.json")
    head, *rest = yaml.safe_load_all((folder / "submission.yaml").read_text())
    del head["additional_resources"][0]["description"]
    (folder / "submission.yaml").write_text(yaml.safe_dump_all([head, *rest]))
    with pytest.raises(AssertionError, match="description"):
        PROGRAMS["hepdata-validator"](tmp_path)


def test_the_study_has_all_searches_and_programs(repository: Path) -> None:
    """Every program was tried on every search, and took it; the page has the table."""
    record: dict[str, Any] = json.loads(
        (repository / "docs/studies/accepted-bundles.json").read_text()
    )
    pairs = {(row["search"], row["program"]) for row in record["rows"]}
    assert pairs == {(search, program) for search in SEARCHES for program in PROGRAMS}
    assert all(row["accepted"] for row in record["rows"])
    assert page(record) == (repository / "docs/studies/accepted-bundles.md").read_text()
