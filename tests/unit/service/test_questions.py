"""What verbs take, as their options declare it."""

from __future__ import annotations

from darkstats.service.questions import ASKED, asked_of, takes_scan_folder


def test_folders_of_scans_are_told_by_their_option() -> None:
    """Global significance wants the folder of a finished scan; all others its record."""
    assert {verb for verb in ASKED if takes_scan_folder(verb)} == {"global"}
    declared = [name for name, option in asked_of("global").items() if option.scan_folder]
    assert declared == ["source"]
    assert asked_of("global")["source"].reads == "file"
