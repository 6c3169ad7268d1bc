"""A build that keeps no row at all is an error that names the cut."""

from __future__ import annotations

import re
from pathlib import Path

from darkstats.cli import run

MODELS = Path(__file__).parents[2] / "models"


def card(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A shipped card with few events and some changes."""
    text = (MODELS / f"{name}.yaml").read_text("utf-8")
    text = re.sub(r"quick: \d+", "quick: 500", text)
    text = re.sub(r"events_per_block: \d+", "events_per_block: 500", text)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def test_a_selection_that_keeps_nothing_names_its_cut(tmp_path, capsys):
    """The three-photon mass lies at the energy of the beams, and never beyond it by a half."""
    path = card(tmp_path, "alp", ("total_mass_range: [0.88, 1.03]", "total_mass_range: [1.5, 1.6]"))
    words = [str(path), "--quick", "--cache", str(tmp_path / "cache"), "--workers", "1"]
    assert run(["build", *words, "-o", str(tmp_path / "out")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(
        r"no row of any sample is left: [1-9]\d* of [1-9]\d* reach the cut "
        r"15\.87\d* < total_mass_gev < 16\.93\d*, and none passes it; loosen this cut",
        said,
    )
    assert not (tmp_path / "out").exists()
    assert run(["simulate", *words]) == 2
