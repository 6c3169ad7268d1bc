"""Make the pages on fidelity: every search beside what was published, effect by effect.

    python docs/examples/fidelity.py --work fidelity [--cards models] [--workspaces workspaces]
        [--only STEP ...] [--quick] [--list]

Builds the five searches from their cards, runs the studies in order, and writes their records and
the pages with the tables of these records to the folder. The prose of the pages is that of
docs/studies: read it beside tables that have changed, whose names are printed. With --workspaces
the searches that are built there are taken; with --only some of the steps; --quick has few events.
Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import alp_effects
import alp_fidelity
import alp_orders
import closure_bias
import fidelity_table
import jumps
import recoil_effects
import recoil_fidelity
import zprime_2018_causes

__all__ = ["STEPS", "Step", "filled", "tables_of"]

EXAMPLES = Path(__file__).parent
STUDIES = EXAMPLES.parent / "studies"
SEARCHES = jumps.SEARCHES
_PAGES = ("fidelity.md", "fidelity-recoil.md", "closure.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are.

    Parameters
    ----------
    cards, workspaces, records
        Folders of cards, of built searches, and of records.
    cache
        Of simulated blocks; None for the usual one.
    quick, workers
        Few events; processes of builds.
    """

    cards: Path
    workspaces: Path
    records: Path
    cache: Path | None
    quick: bool
    workers: int

    def cached(self) -> list[str]:
        return [] if self.cache is None else ["--cache", str(self.cache)]

    def few(self) -> list[str]:
        return ["--quick"] if self.quick else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command, and what it writes beside the folder.

    Parameters
    ----------
    name
        Of the step.
    record
        File that it writes, None for builds.
    command
        Its arguments after the interpreter; several commands for builds.
    page
        Page that it writes itself.
    """

    name: str
    record: str | None
    commands: Callable[[Places], list[list[str]]] = field(repr=False)
    page: str | None = None

    @property
    def writes(self) -> tuple[str, ...]:
        """Files, relative to the folder."""
        return tuple(one for one in (self.record, self.page) if one is not None)


def _builds(at: Places) -> list[list[str]]:
    return [
        [
            "-m", "darkstats", "build", str(at.cards / f"{name}.yaml"),
            "-o", str(at.workspaces / name), "--workers", str(at.workers),
            *at.few(), *at.cached(),
        ]
        for name in SEARCHES
    ]  # fmt: skip


def _script(name: str, *arguments: str) -> list[str]:
    return [str(EXAMPLES / f"{name}.py"), *arguments]


#: All steps, in order.
STEPS: tuple[Step, ...] = (
    Step(name="build", record=None, commands=_builds),
    Step(
        name="table", record="fidelity-table.json",
        commands=lambda at: [_script(
            "fidelity_table", str(at.cards), str(at.workspaces),
            str(at.records / "fidelity-table.json"), *at.few(), *at.cached(),
        )],
    ),
    Step(
        name="alp effects", record="alp-effects.json",
        commands=lambda at: [_script(
            "alp_effects", str(at.cards / "alp.yaml"), str(at.records / "alp-effects.json"),
            *at.few(), *at.cached(),
        )],
    ),
    Step(
        name="alp orders", record="alp-orders.json",
        commands=lambda at: [_script(
            "alp_orders", str(at.cards / "alp.yaml"), str(at.records / "alp-orders.json"),
            *at.few(), *at.cached(),
        )],
    ),
    Step(
        name="recoil limits", record="fidelity-recoil.json",
        commands=lambda at: [_script(
            "recoil_fidelity", str(at.workspaces), str(at.records / "fidelity-recoil.json"),
        )],
    ),
    Step(
        name="recoil effects", record="fidelity-effects.json", page="fidelity-effects.md",
        commands=lambda at: [_script(
            "recoil_effects", str(at.records / "fidelity-effects.json"),
            "--page", str(at.records / "fidelity-effects.md"),
            "--models", str(at.cards), "--workspaces", str(at.workspaces),
            "--share", "0.02" if at.quick else "0.25", *at.cached(),
        )],
    ),
    Step(
        name="causes of 2018", record="zprime-2018-causes.json",
        commands=lambda at: [_script(
            "zprime_2018_causes", str(at.cards), str(at.workspaces),
            str(at.records / "zprime-2018-causes.json"), *at.few(), *at.cached(),
        )],
    ),
    Step(
        name="jumps", record="jumps.json",
        commands=lambda at: [_script(
            "jumps", str(at.cards), str(at.workspaces), str(at.records / "jumps.json"),
            *(["--groups", "2"] if at.quick else []), *at.few(), *at.cached(),
        )],
    ),
    Step(
        name="closure bias", record="closure-bias.json",
        commands=lambda at: [_script(
            "closure_bias", str(at.workspaces / "zprime_invisible_2020"),
            str(at.records / "closure-bias.json"), *(["--toys", "200"] if at.quick else []),
        )],
    ),
)  # fmt: skip


def _alp(content: Any) -> list[tuple[str, str, str]]:
    heading = "Axion-like particles, with what detector and fit lose"
    parts = alp_effects.tables(content).split("\n\n")
    before = "Axion-like particles, before, beside a prototype"
    return [
        *(("fidelity.md", heading, part) for part in parts),
        ("fidelity.md", before, alp_fidelity.table(content)),
    ]


def _rows(content: Any) -> str:
    table = fidelity_table.Table()
    table.rows = content
    return str(table)


#: Tables of each record: page, heading, and the table itself.
_TABLES: dict[str, Callable[[Any], list[tuple[str, str, str]]]] = {
    "fidelity-table.json": lambda c: [("fidelity.md", "All searches", _rows(c))],
    "alp-effects.json": _alp,
    "alp-orders.json": lambda c: [("fidelity.md", "Order of the background", alp_orders.table(c))],
    "fidelity-recoil.json": lambda c: [
        ("fidelity-recoil.md", recoil_fidelity.HEADINGS[name], recoil_fidelity.table(rows))
        for name, rows in c.items()
    ],
    "zprime-2018-causes.json": lambda c: [
        ("fidelity-recoil.md", "What is left, and what would test it", part)
        for part in zprime_2018_causes.tables(c).split("\n\n")
    ],
    "jumps.json": lambda c: [("fidelity.md", "Neighbouring hypotheses", jumps.table(c))],
    "closure-bias.json": lambda c: [
        (
            "closure.md",
            "Why estimates are biased at fixed auxiliary data",
            closure_bias.table(c["rows"]),
        )
    ],
}


def tables_of(record: str, content: Any) -> list[tuple[str, str, str]]:
    """Page, heading and table of everything that a record fills."""
    return _TABLES[record](content) if record in _TABLES else []


def filled(page: str, heading: str, table: str) -> str:
    """The page with another table in the place of the one with the same head below a heading.

    Parameters
    ----------
    page, heading
        Text, and a heading without its marks.
    table
        Rows of Markdown; the first one says which table it is.

    Raises
    ------
    ValueError
        There is no such heading, or no such table below it.
    """
    lines = table.strip().splitlines()
    found = re.search(rf"^#+ {re.escape(heading)}$", page, flags=re.MULTILINE)
    if found is None:
        raise ValueError(f"the page has no heading {heading!r}")
    begin = page.find(f"\n{lines[0]}\n", found.end())
    following = re.search(r"^#+ ", page[found.end() :], flags=re.MULTILINE)
    if begin < 0 or (following is not None and begin > found.end() + following.start()):
        raise ValueError(f"there is no table below {heading!r} that begins {lines[0][:60]!r}")
    end = re.compile(r"\n(?!\|)").search(page, begin + 1)
    stop = len(page) if end is None else end.start()
    return page[: begin + 1] + "\n".join(lines) + page[stop:]


def write_pages(records: Path, names: Sequence[str]) -> list[str]:
    """Write the pages with the tables of some records; says what was written and what changed."""
    texts = {page: (STUDIES / page).read_text("utf-8") for page in _PAGES}
    touched: dict[str, list[str]] = {}
    for name in names:
        content = json.loads((records / name).read_text("utf-8"))
        for page, heading, table in tables_of(name, content):
            new = filled(texts[page], heading, table)
            changes = touched.setdefault(page, [])
            if new != texts[page] and heading not in changes:
                changes.append(heading)
            texts[page] = new
    said = []
    for page, changes in touched.items():
        (records / page).write_text(texts[page], "utf-8")
        said.append(f"{page}: " + (f"changed {', '.join(changes)}" if changes else "as it was"))
    return said


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, help="folder for builds, records and pages")
    parser.add_argument("--cards", type=Path, default=recoil_effects.ROOT / "models")
    parser.add_argument("--workspaces", type=Path, help="built searches: none is built then")
    parser.add_argument("--only", nargs="*", choices=[step.name for step in STEPS])
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="few events and toys")
    parser.add_argument("--list", action="store_true", help="say what is written, and stop")
    asked = parser.parse_args()
    if asked.list:
        for step in STEPS:
            print(f"{step.name}: {', '.join(step.writes) or 'workspaces'}")
        print(f"pages: {', '.join(_PAGES)}")
        return
    if asked.work is None:
        parser.error("name a folder: --work DIR")
    asked.work.mkdir(parents=True, exist_ok=True)
    at = Places(
        cards=asked.cards, workspaces=asked.workspaces or asked.work / "workspaces",
        records=asked.work, cache=asked.cache, quick=asked.quick, workers=asked.workers,
    )  # fmt: skip
    chosen = [
        step
        for step in STEPS
        if (asked.only is None or step.name in asked.only)
        and not (step.name == "build" and asked.workspaces is not None)
    ]
    for number, step in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {step.name}", file=sys.stderr, flush=True)
        for command in step.commands(at):
            subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        for file in step.writes:
            print(f"wrote {asked.work / file}", flush=True)
    names = [step.record for step in chosen if step.record is not None]
    for line in write_pages(asked.work, names):
        print(f"wrote {asked.work / line}")


if __name__ == "__main__":
    main()
