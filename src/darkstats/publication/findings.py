"""What a verification finds: checks that were made, and what is wrong, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["DIFFERS", "MALFORMED", "UNCERTIFIED", "Findings", "Problem"]

#: A number is another one than what is stated.
DIFFERS = "differs"
#: A number is stated that could not be certified again.
UNCERTIFIED = "not certified"
#: A file is missing, changed, damaged, or belongs to something else.
MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    kind
        :data:`DIFFERS`, :data:`UNCERTIFIED` or :data:`MALFORMED`.
    place
        File, with JSON pointer or line where there is one.
    text
        What is wrong, and where it helps what to do.
    """

    kind: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


@dataclass(slots=True)
class Findings:
    """Checks that were made, in words, and what they found; grows while a bundle is verified.

    ``computed_again`` is how many of the stated limits were, and how many there are; ``agree`` says
    whether those were found again.
    """

    checks: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    computed_again: tuple[int, int] | None = None
    agree: bool = True

    def __str__(self) -> str:
        found = f"{len(self.checks)} checks, {len(self.problems)} problems"
        return f"{found}, the first: {self.problems[0]}" if self.problems else found

    def check(self, name: str, statement: str, problems: Iterable[Problem] = ()) -> None:
        """Note a check: what it was, what holds if nothing is wrong, and what is wrong."""
        found = list(problems)
        words = f"{len(found)} wrong; checked: {statement}" if found else statement
        self.checks.append((name, words))
        self.problems.extend(found)

    def fail(self, name: str, state: str, problem: Problem) -> None:
        """Note that something could not be checked: what it was, why in a word, and the problem."""
        self.checks.append((name, state))
        self.problems.append(problem)

    def of_kind(self, *kinds: str) -> list[Problem]:
        """Problems of some kinds, in the order in which they were found."""
        return [problem for problem in self.problems if problem.kind in kinds]
