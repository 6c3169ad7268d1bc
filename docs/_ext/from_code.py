"""Directives whose text comes from the code, so that it cannot go stale.

``cli-help VERB``
    What ``darkstats VERB --help`` prints.
``lint-findings``
    The table of the linter's findings.
``constraint-catalogue``
    The table of constraints of earlier experiments.
``changelog``
    The fragments of ``changelog.d``, grouped by kind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList

KINDS = {
    "physics": "Numbers that move",
    "added": "Added",
    "changed": "Changed",
    "fixed": "Fixed",
    "removed": "Removed",
}


class CliHelp(Directive):
    required_arguments = 0
    optional_arguments = 2

    def run(self) -> list[nodes.Node]:
        environment = {**os.environ, "COLUMNS": "96", "TERM": "dumb", "NO_COLOR": "1"}
        script = "import sys; from darkstats.cli import main; sys.argv[0] = 'darkstats'; main()"
        done = subprocess.run(
            [sys.executable, "-c", script, *self.arguments, "--help"],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        if done.returncode != 0:
            raise self.error(f"darkstats {' '.join(self.arguments)} --help: {done.stderr}")
        lines = [line.rstrip() for line in done.stdout.strip("\n").splitlines()]
        return [nodes.literal_block("", "\n".join(lines), language="text")]


class Parsed(Directive):
    """A directive that writes Markdown and lets Sphinx read it."""

    def parsed(self, lines: list[str]) -> list[nodes.Node]:
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source="from_code"), 0, node)
        return node.children


class LintFindings(Parsed):
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        from darkstats.workspace import FINDING_CODES

        rows = [f"| `{code}` | {meaning} |" for code, meaning in FINDING_CODES.items()]
        return self.parsed(["| code | meaning |", "|---|---|", *rows])


class ConstraintCatalogue(Parsed):
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        from darkstats.report.constraints.catalogue import catalogue, statements

        rows = []
        drawn = [(one, f"{len(one.mass_gev)} points") for one in catalogue()]
        for one, what in (*drawn, *((one, one.text) for one in statements())):
            source = one.source
            arxiv = f", arXiv:{source.arxiv}" if source.arxiv else ""
            method = f", {source.method}" if source.method else ""
            cells = (
                one.label, ", ".join(f"`{name}`" for name in one.couplings), what,
                f"{source.level}{method}", f"{source.citation}{arxiv}", source.certainty,
                source.read,
            )  # fmt: skip
            rows.append("| " + " | ".join(cells) + " |")
        head = "| name | on | what | level | source | sure | read |"
        return self.parsed([head, "|---|---|---|---|---|---|---|", *rows])


class Changelog(Parsed):
    has_content: ClassVar[bool] = False

    def run(self) -> list[nodes.Node]:
        folder = Path(__file__).parent.parent / "changelog.d"
        lines: list[str] = []
        for kind, title in KINDS.items():
            fragments = sorted(folder.glob(f"*.{kind}.md"))
            if fragments:
                lines += [f"**{title}**", ""]
                for path in fragments:
                    first, *rest = path.read_text("utf-8").strip().splitlines()
                    lines += [f"* {first}", *(f"  {line}" for line in rest)]
                lines.append("")
        return self.parsed(lines)


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("cli-help", CliHelp)
    app.add_directive("lint-findings", LintFindings)
    app.add_directive("constraint-catalogue", ConstraintCatalogue)
    app.add_directive("changelog", Changelog)
    return {"version": "1", "parallel_read_safe": True}
