"""The frame of the statistical verbs: toys before the work; notes, referee and toys on its record.

A verb loads a likelihood, asks the library, and hands over what is its own: how its result is
recorded, shown and drawn. What all of them share is added here, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from darkstats.workflows.inputs import toy_options
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import Outcome, Step

if TYPE_CHECKING:
    from rich.console import RenderableType

    from darkstats.inference.p_values import Calculator, ToyOptions
    from darkstats.referee import Verdict
    from darkstats.report.figures.style import Drawing
    from darkstats.workflows.requests import ToyRequest
    from darkstats.workspace.json_values import JsonObject

__all__ = ["NO_TOYS", "Thrown", "answered", "calculator_of", "throwing", "toys_of"]

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thrown:
    """Toys of a verb.

    Parameters
    ----------
    options
        Those that the library is handed: to throw, or, with a seed alone, for its probe.
    quoted
        Those that the number rests on; None where it rests on none.
    earlier
        How many of them an earlier result brings.
    """

    options: ToyOptions | None = None
    quoted: ToyOptions | None = None
    earlier: int = 0

    def counted(self, step: Step) -> ToyOptions | None:
        """The options, of which ``step`` is told what is done."""
        return None if self.options is None else replace(self.options, on_toys=step.advance)


NO_TOYS = Thrown()


def calculator_of(asked: str) -> Calculator:
    """``auto`` never changes the number: it is the asymptotic one, with a probe beside it."""
    return "toys" if asked == "toys" else "asymptotic"


def throwing(options: ToyOptions | None) -> str:
    """What a step says that throws these toys, or fits where there are none."""
    if options is None:
        return "fitting"
    return f"throwing {options.n_toys} toys per hypothesis"


def toys_of(
    request: ToyRequest,
    likelihood: Likelihood,
    kind: str,
    *,
    wanted: bool,
    probes: bool = False,
    **asked: object,
) -> Thrown:
    """Toys to throw, where ``wanted``; a seed alone serves the probe of a verb that ``probes``.

    ``kind`` and ``asked`` bind them to the question: an earlier result of another one adds none.
    """
    if not wanted and (not probes or request.seed is None):
        return NO_TOYS
    options, earlier = toy_options(request, likelihood.model, kind, asked)
    options = replace(options, threads=likelihood.threads)
    return Thrown(options=options, quoted=options if wanted else None, earlier=earlier)


def answered(
    found: ResultT,
    likelihood: Likelihood,
    *,
    record: Callable[[], JsonObject],
    sheet: Callable[[], RenderableType],
    figures: Mapping[str, Callable[[], Drawing]],
    files: Mapping[str, Callable[[str], None]] | None = None,
    thrown: Thrown | None = None,
    verdict: Verdict | None = None,
    refereed: bool = True,
) -> Outcome[ResultT]:
    """Outcome of a statistical verb.

    Parameters
    ----------
    found, likelihood
        The library's result, and what it is about.
    record, sheet, figures, files
        What is the verb's own; as in :class:`~darkstats.workflows.outcome.Outcome`.
    thrown
        Toys of a verb that may throw some.
    verdict, refereed
        What the referee says, and whether the verb offers one.
    """

    def whole_record() -> JsonObject:
        from darkstats.report.records import verdict_record

        plain = record()
        if thrown is not None:
            quoted = thrown.quoted
            plain["toys_per_hypothesis"] = None if quoted is None else quoted.n_toys
            plain["toys_of_earlier_result"] = thrown.earlier
            if quoted is None:
                plain["toys_per_hypothesis_reason"] = plain.get("toys_reason", "no toys")
        if refereed:
            plain["referee"] = verdict_record(verdict)
            if verdict is None:
                plain["referee_reason"] = "not asked"
        plain["workspace_warnings"] = list(likelihood.workspace_warnings)
        if likelihood.unbinned is not None:
            plain["unbinned"] = dict(likelihood.unbinned)
        return plain

    def whole_sheet() -> RenderableType:
        from darkstats.report.tables import with_appendix

        return with_appendix(sheet(), verdict, likelihood.workspace_warnings)

    return Outcome(
        result=found, record=whole_record, sheet=whole_sheet, figures=figures, files=files or {}
    )
