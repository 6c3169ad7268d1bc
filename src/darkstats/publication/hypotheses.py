"""Signals put on their workspace, one after the other: each must apply, lint and compile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from darkstats.errors import InputError, PatchError
from darkstats.model import HistFactoryModel, compile_workspace
from darkstats.publication.findings import MALFORMED, Problem
from darkstats.workspace import Workspace
from darkstats.workspace.patch import apply_patch
from darkstats.workspace.shared_parts import SharedParts

__all__ = ["WITHOUT_SIGNAL", "Hypotheses", "compiled", "limited"]

#: Lint errors of a workspace that waits for its signal.
WITHOUT_SIGNAL = ("poi-unknown", "poi-no-effect")
_MOST_PROBLEMS = 20


def compiled(workspace: Workspace, measurement: str | None = None) -> HistFactoryModel:
    """Return the model of a workspace; one that waits for its signal has no parameter of interest.

    ``measurement`` is the first one by default.

    Raises
    ------
    InputError
        It makes no model.
    """
    waits = any(found.code in WITHOUT_SIGNAL for found in workspace.warnings)
    return compile_workspace(workspace, measurement, poi="" if waits else None)


@dataclass(slots=True)
class Hypotheses:
    """What became of the signals of some workspaces; grows with each that is tried.

    Parameters
    ----------
    problems
        Of those that do not apply, lint or compile.
    silent
        Places of those that bring no signal: their workspace has no parameter of interest.
    tried
        How many there were.
    """

    problems: list[Problem] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    tried: int = 0

    def add(
        self, base: Mapping[str, Any], shared: SharedParts, operations: Sequence[Any], place: str
    ) -> tuple[Workspace, HistFactoryModel] | None:
        """Apply the patch of a signal to a document; return what it makes, None where it fails."""
        self.tried += 1
        try:
            document = apply_patch(base, list(operations), source=place, size=shared.size)
            workspace = Workspace.from_document(
                document, place, accept=WITHOUT_SIGNAL, usable=False, shared=shared
            )
            model = compiled(workspace)
        except InputError as error:
            text = error.problem if isinstance(error, PatchError) else str(error)
            words = " ".join(text.split()).removeprefix(f"{place}: ")
            self.problems.append(Problem(kind=MALFORMED, place=place, text=words))
            return None
        if model.poi_name is None:
            self.silent.append(place)
        return workspace, model

    @property
    def remarks(self) -> list[str]:
        """What to say of signals that are none."""
        if not self.silent:
            return []
        return [f"signal in {len(self.silent)} of {self.tried} hypotheses: {self.silent[0]}"]


def limited(problems: Sequence[Problem]) -> list[Problem]:
    """At most 20 problems, and one that says how many more there are."""
    rest = len(problems) - _MOST_PROBLEMS
    if rest <= 0:
        return list(problems)
    more = Problem(kind=MALFORMED, place="", text=f"and {rest} more such problems")
    return [*problems[:_MOST_PROBLEMS], more]
