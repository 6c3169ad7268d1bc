"""The gallery shows every search of models/ with the command that makes its figure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from example_scripts import example_script

MODELS = Path(__file__).parents[2] / "models"
CARDS = sorted(path.stem for path in MODELS.glob("*.yaml"))
BLOCK = re.compile(r"^```console\n(.*?)^```\n+!\[(.+?)\]\((.+?)\)$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shown(repository: Path) -> dict[str, tuple[str, str]]:
    """By name of the figure: command and words of each block that a figure follows."""
    page = (repository / "docs/gallery.md").read_text("utf-8")
    return {Path(figure).stem: (command, words) for command, words, figure in BLOCK.findall(page)}


@pytest.mark.parametrize("card", CARDS)
def test_every_card_has_a_figure_and_its_command(
    card: str, shown: dict[str, tuple[str, str]], repository: Path
) -> None:
    """A scan of the committed workspace, or of what the card builds, with --plot."""
    assert card in shown, f"docs/gallery.md: no command and figure of models/{card}.yaml"
    command, words = shown[card]
    assert "simulated" in words
    built = re.search(rf"darkstats build models/{card}\.yaml -o (\S+)", command)
    folder = built[1] if built else f"workspaces/{card}"
    assert built or (repository / folder).is_dir()
    assert re.search(rf"darkstats scan {re.escape(folder)} -o \S+ --plot \S+\.png", command)
    assert (repository / f"docs/images/gallery/{card}.png").is_file()


def test_the_script_makes_the_figures_that_are_shown(
    shown: dict[str, tuple[str, str]], repository: Path
) -> None:
    script = example_script("gallery")
    files = {path.stem for path in (repository / "docs/images/gallery").glob("*.png")}
    assert files == set(script.FIGURES)
    others = set(shown) - files  # figures of other pages
    assert set(shown) == files | others
    assert all((repository / f"docs/images/{name}.png").is_file() for name in others)
