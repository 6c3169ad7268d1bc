"""Cards with random faults: each ends in a checked workspace or in an error with its place."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from darkstats.conversion.datacard_building import convert_datacard
from darkstats.conversion.datacard_joining import join
from darkstats.conversion.datacard_reading import read_datacard
from darkstats.errors import CardError, WorkspaceError
from public_datacards import CARDS

WORDS = [
    "-",
    "0",
    "1",
    "1.1",
    "0.9/1.2",
    "1e400",
    "nan",
    "inf",
    "-1",
    "lnN",
    "gmN",
    "shape",
    "shape?",
    "rateParam",
    "group",
    "=",
    "+=",
    "autoMCStats",
    "nuisance",
    "edit",
    "freeze",
    "drop",
    "rename",
    "*",
    "$MASS",
    "FAKE",
    "#",
    "imax",
    "bin",
    "rate",
    "process",
    "observation",
    "a",
    "s",
    "r",
    "@0",
    "@0*@1",
    "[0,1]",
    "é",
    "[",
    "]",
    "(",
    "lumi",
    "kmax",
    "99999999999999999999",
    "1e-320",
    "2",
    "param",
    "0.0",
    "1e300",
]
TEXTS = [text for name, text in CARDS.items() if name != "shapes"]


def damaged(text: str, chance: random.Random) -> str:
    """A card with a few words changed, inserted or removed, or lines repeated or removed."""
    lines = text.split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        words = lines[at].split(" ")
        kind = chance.choice(["change", "insert", "remove", "drop", "repeat"])
        if kind == "change":
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        elif kind == "insert":
            words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS))
        elif kind == "remove":
            del words[chance.randrange(len(words))]
        lines[at] = " ".join(words)
        if kind == "drop" and len(lines) > 1:
            del lines[at]
        elif kind == "repeat":
            lines.insert(chance.randrange(len(lines)), lines[at])
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(5))
def test_every_fault_has_a_place(seed: int, tmp_path: Path) -> None:
    """No card ends in a traceback, and a refused one names its line; warnings are errors here."""
    chance = random.Random(seed)
    path = tmp_path / "card.txt"
    converted: list[str] = []
    refused: list[CardError] = []
    for _ in range(100):
        path.write_text(damaged(chance.choice(TEXTS), chance))
        try:
            card = read_datacard(path)
            found = convert_datacard(
                join([("x", card), ("y", card)]) if chance.random() < 0.3 else card
            )
            converted.append(found.workspace.digest)
        except CardError as error:
            refused.append(error)
        except WorkspaceError:
            pass  # the linter's, with its findings
    assert min(len(converted), len(refused)) > 5
    lost = [error for error in refused if error.line is None]
    assert all("no line with rates" in str(error) for error in lost)
