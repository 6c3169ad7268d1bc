"""Refuse, with reasons, every document out of which no trustworthy number could come.

The checks cover the workspace schema 1.0.0 of pyhf and, beyond it, what the schema cannot say:
numbers that are not numbers, names that clash, bins that nothing can fill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkstats.errors import WorkspaceError
from darkstats.workspace.expectation_checks import check_expectations
from darkstats.workspace.measurement_checks import check_measurements
from darkstats.workspace.modifier_checks import check_modifiers
from darkstats.workspace.name_checks import check_names
from darkstats.workspace.report import Report
from darkstats.workspace.structure import check_structure

if TYPE_CHECKING:
    from collections.abc import Collection

    from darkstats.workspace.findings import Finding
    from darkstats.workspace.json_values import JsonValue
    from darkstats.workspace.shared_parts import SharedParts

__all__ = ["lint", "require_valid"]


def lint(
    document: JsonValue,
    *,
    accept: Collection[str] = (),
    every: bool = False,
    shared: SharedParts | None = None,
) -> tuple[Finding, ...]:
    """Return all that is wrong, or worth a look, in a workspace document.

    Parameters
    ----------
    document
        A document as :func:`darkstats.workspace.parse_json` returns it; it is not changed.
    accept
        Codes out of :data:`darkstats.workspace.ACCEPTABLE_CODES` whose errors become warnings.
    every
        Whether warnings that are frequent are listed one by one, and not counted.
    shared
        What is known of the samples of a document that this one was made of by patches.

    Returns
    -------
    tuple of Finding
        Errors first. A document without errors makes a model.

    Examples
    --------
    >>> [finding.code for finding in lint({"channels": []})]
    ['missing-key', 'missing-key', 'missing-key', 'empty-list']

    >>> import darkstats
    >>> workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
    >>> darkstats.lint(workspace.document)
    ()
    >>> [finding.code for finding in darkstats.lint({"channels": []})]
    ['missing-key', 'missing-key', 'missing-key', 'empty-list']
    """
    report = Report(accepted=frozenset(accept), every=every)
    sound = check_structure(document, report, shared)
    counts = check_expectations(sound, report)
    needs = check_modifiers(sound, report)
    check_names(sound, report)
    check_measurements(sound, needs, counts, report)
    return report.findings()


def require_valid(
    document: JsonValue, source: str = "", *, accept: Collection[str] = ()
) -> tuple[Finding, ...]:
    """Return the warnings of a workspace document.

    Raises
    ------
    WorkspaceError
        The document has errors; the exception carries them.
    """
    findings = lint(document, accept=accept)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise WorkspaceError(errors, source=source)
    return findings
