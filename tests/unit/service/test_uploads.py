"""Names of files that users send: harmless, or refused."""

from __future__ import annotations

import pytest

from darkstats.errors import OptionError
from darkstats.service.uploads import checked_name, checked_names

HOSTILE = [
    "", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "..", "a//b", "a/", "/", "a\\b", "C:\\x",
    "a\0b", "a\nb", "\x1b[31m", "a\x7f", "a\u202eb", "a\u2028b", "\ud800", ".out/x", ".hidden",
    "x" * 201, "é" * 101, "/".join("x" * 99 for _ in range(11)), "..\\x", "\x85",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_could_harm_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="name of a file"):
        checked_name(name)


@pytest.mark.parametrize(
    "name",
    ["a.json", "alp/background_only.json", "a b.json", "<script>.json", "é.json", "a..b", "…",
     "x/.keep", "record.tar.gz:RegionA", "%2e%2e", "'; --", "x" * 200],
)  # fmt: skip
def test_what_is_merely_odd_is_kept(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize("names", [["a", "a"], ["a", "a/b"], ["a/b/c", "a/b"], ["x/y", "x"]])
def test_names_that_exclude_each_other_are_refused(names: list[str]) -> None:
    with pytest.raises(OptionError):
        checked_names(names)
