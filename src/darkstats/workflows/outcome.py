"""What a workflow hands back, and what it may tell a shell on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from darkstats.errors import InputError, NotCertifiedError, OptionError, UnknownNameError
from darkstats.shown import Shown, said, table_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.execution.run import Runner
    from darkstats.report.figures.style import Drawing
    from darkstats.workspace.json_values import JsonObject

__all__ = ["Outcome", "Progress", "Shell", "announce_compiling", "quiet", "silent"]

_COMPILING = "compiling kernels (once per installation)"

ResultT_co = TypeVar("ResultT_co", covariant=True)


class Step(Protocol):
    """A step that may take long, as a context; it can be told how much of it is done."""

    def __enter__(self) -> Step: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def advance(self, count: int) -> None:
        """Count toys that are done; called from any thread."""

    def now(self, name: str) -> None:
        """Say what it does from here on."""


#: Makes a step from its name, the number of what it counts where that is known, and its unit.
Progress = Callable[[str, int | None, str], Step]


class SilentStep:
    """A step that nobody watches."""

    def __enter__(self) -> SilentStep:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def advance(self, count: int) -> None:
        """Take no notice of ``count``."""

    def now(self, name: str) -> None:
        """Take no notice of ``name``."""


def quiet(step: str, total: int | None = None, unit: str = "toys") -> SilentStep:
    """Say nothing of ``step``."""
    return SilentStep()


def silent(message: str) -> None:
    """Say nothing of ``message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What a workflow may know of its caller.

    Parameters
    ----------
    command
        The command line, for the record; ``None`` from Python.
    progress
        Told of steps that may take long.
    announce
        Told what a user should know at once.
    runner
        Has the blocks of jobs computed and keeps them, in the place of the workers, the cluster and
        the folder of a request.
    kinds
        Figures that it asks for of the outcome, None for the first one: a workflow that takes long
        refuses those that it will not have before the work.
    """

    command: str | None = None
    progress: Progress = quiet
    announce: Callable[[str], object] = silent
    runner: Runner | None = None
    kinds: tuple[str | None, ...] = ()

    def require_figures(self, known: Iterable[str], no_figure: str) -> None:
        """Refuse a figure that the outcome will not have.

        Raises
        ------
        UnknownNameError
            A kind is not among the ``known`` ones.
        OptionError
            There is none at all, with ``no_figure`` as the reason.
        """
        known = tuple(known)
        for kind in self.kinds:
            if not known:
                raise OptionError(no_figure)
            if kind is not None and kind not in known:
                raise UnknownNameError("figure", kind, known)

    def step(self, name: str, total: int | None = None, unit: str = "toys") -> Step:
        """Return the step ``name``, to be used as a context."""
        return self.progress(name, total, unit)


def announce_compiling(shell: Shell) -> None:
    """Say that kernels are compiled, and where they cannot be kept what to do about it."""
    from darkstats.kernel import CACHE_NOTE

    shell.announce(_COMPILING if CACHE_NOTE is None else f"{_COMPILING}: {CACHE_NOTE}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Outcome(Shown, Generic[ResultT_co]):
    """A result with everything that can be shown of it. Nothing is drawn or written before asked.

    It shows itself as its result does.

    Parameters
    ----------
    result
        What the library function returned.
    record
        Makes the JSON record.
    sheet
        Makes the table.
    figures
        Makes figures, by kind; the first is the default.
    files
        Write other files that the request asked for, by the path asked for.
    no_figure
        Why there is none, where there is none.
    uncertified
        Says that nothing in the result is certified, and why; empty where something is. A shell
        says this first, and exits with status 1.
    malformed
        Says what is wrong with a document that was looked at; empty where nothing is. A shell says
        this first, and exits with status 2.
    sidecar
        What is known beyond a record that is a workspace, written beside it; empty where nothing.

    Examples
    --------
    >>> import darkstats
    >>> outcome = darkstats.limit("workspaces/examples/two_bins.json")
    >>> outcome.result
    UpperLimit(poi='mu', cl=0.95, method='cls', calculator='asymptotic', observed=1.965, ...
    >>> outcome.to_dict()["schema"], list(outcome.figures)
    ('darkstats.limit/1', ['cls'])
    >>> outcome.save("limit.json")
    """

    result: ResultT_co
    record: Callable[[], JsonObject] = field(repr=False)
    sheet: Callable[[], RenderableType] = field(repr=False)
    figures: Mapping[str, Callable[[], Drawing]] = field(default_factory=dict, repr=False)
    files: Mapping[str, Callable[[str], None]] = field(default_factory=dict, repr=False)
    no_figure: str = "this task has no figure"
    uncertified: str = ""
    malformed: str = ""
    sidecar: JsonObject = field(default_factory=dict, repr=False)

    def to_dict(self) -> JsonObject:
        """Return the record, as the command line writes it: JSON data.

        Examples
        --------
        >>> import darkstats
        >>> outcome = darkstats.limit("workspaces/examples/two_bins.json")
        >>> round(outcome.to_dict()["observed"], 3)
        1.965
        """
        from darkstats.report.writing import plain

        found: JsonObject = plain(self.record())
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the record to a file, whole or not at all.

        Raises
        ------
        OutputError
            The file cannot be written.

        Examples
        --------
        >>> import darkstats
        >>> outcome = darkstats.limit("workspaces/examples/two_bins.json")
        >>> outcome.save("limit.json")
        """
        from darkstats.report.sidecar import sidecar_path
        from darkstats.report.writing import json_text, write_text

        write_text(path, json_text(self.record()))
        if self.sidecar:
            write_text(sidecar_path(os.fspath(path)), json_text(self.sidecar))

    def require_certified(self) -> Self:
        """Return the outcome, if anything in it is certified and no document is malformed.

        A verb of the command line exits with another status than 0 where this raises.

        Raises
        ------
        NotCertifiedError
            None of its numbers is certified; says why.
        InputError
            A document that was looked at cannot be used.

        Examples
        --------
        >>> import darkstats
        >>> outcome = darkstats.limit("workspaces/examples/two_bins.json")
        >>> round(outcome.require_certified().result.observed, 3)
        1.965
        """
        if self.malformed:
            raise InputError(self.malformed)
        if self.uncertified:
            raise NotCertifiedError(self.uncertified)
        return self

    def __repr__(self) -> str:
        wrong = self.malformed or self.uncertified
        return f"Outcome({said(self.result)}{', ' if wrong else ''}{wrong})"

    def _repr_html_(self) -> str:
        return table_of(type(self.result).__name__, self.result)

    def figure(self, kind: str | None = None) -> Drawing:
        """Return a figure, by default the first kind.

        Raises
        ------
        UnknownNameError
            There is no figure of this kind.
        OptionError
            There is no figure at all.
        MissingExtraError
            The packages that draw are not installed.

        Examples
        --------
        >>> import darkstats
        >>> outcome = darkstats.limit("workspaces/examples/two_bins.json")
        >>> outcome.figure("cls").save("limit.pdf")
        """
        if not self.figures:
            raise OptionError(self.no_figure)
        chosen = next(iter(self.figures)) if kind is None else kind
        if chosen not in self.figures:
            raise UnknownNameError("figure", chosen, tuple(self.figures))
        return self.figures[chosen]()
