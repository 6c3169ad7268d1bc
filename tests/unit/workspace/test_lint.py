"""The linter: every fault has a code, a place, a channel, a sample and a remedy."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from darkstats.errors import WorkspaceError
from darkstats.workspace import (
    ACCEPTABLE_CODES,
    FINDING_CODES,
    Finding,
    lint,
    measurement_checks,
    read_workspace,
    require_valid,
)
from strategies import random_workspace, workspaces

if TYPE_CHECKING:
    from pathlib import Path

Change = Callable[[dict[str, Any]], object]


def plain() -> dict[str, Any]:
    """Two channels, a signal and a background, one modifier of each type."""
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [
                    {"name": "signal", "data": [5.0, 6.0], "modifiers": [
                        {"name": "mu", "type": "normfactor", "data": None},
                        {"name": "lumi", "type": "lumi", "data": None},
                    ]},
                    {"name": "background", "data": [50.0, 60.0], "modifiers": [
                        {"name": "norm", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}},
                        {"name": "shape", "type": "histosys",
                         "data": {"lo_data": [45.0, 65.0], "hi_data": [55.0, 55.0]}},
                        {"name": "free", "type": "shapefactor", "data": None},
                        {"name": "poisson", "type": "shapesys", "data": [5.0, 6.0]},
                        {"name": "mc_SR", "type": "staterror", "data": [1.0, 2.0]},
                    ]},
                ],
            },
            {
                "name": "CR",
                "samples": [{"name": "background", "data": [100.0], "modifiers": [
                    {"name": "norm", "type": "normsys", "data": {"lo": 0.8, "hi": 1.2}},
                    {"name": "mc_CR", "type": "staterror", "data": [3.0]},
                ]}],
            },
        ],
        "observations": [{"name": "SR", "data": [52, 61]}, {"name": "CR", "data": [99]}],
        "measurements": [{"name": "fit", "config": {"poi": "mu", "parameters": [
            {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0],
             "bounds": [[0.9, 1.1]]},
        ]}}],
        "version": "1.0.0",
    }  # fmt: skip


def put(path: str, value: Any) -> Change:
    """Set the value at a path of keys and indices."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = [int(t) if t.isdigit() else t for t in path.split("/")]
        target: Any = document
        for token in parents:
            target = target[token]
        if isinstance(target, list) and last == len(target):
            target.append(value)
        else:
            target[last] = value

    return change


def drop(path: str) -> Change:
    """Remove the value at a path."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = [int(t) if t.isdigit() else t for t in path.split("/")]
        target: Any = document
        for token in parents:
            target = target[token]
        del target[last]

    return change


SIGNAL, BACKGROUND = "channels/0/samples/0", "channels/0/samples/1"
MODIFIERS, PARAMETERS = f"{BACKGROUND}/modifiers", "measurements/0/config/parameters"
NORM = {"name": "mu", "type": "normfactor", "data": None}

ERRORS: list[tuple[str, str, Change]] = [
    # numbers that are none
    ("not-finite", f"/{BACKGROUND}/data/1", put(f"{BACKGROUND}/data/1", float("nan"))),
    ("not-finite", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", float("inf"))),
    ("not-finite", f"/{MODIFIERS}/3/data/0", put(f"{MODIFIERS}/3/data/0", float("nan"))),
    ("not-finite", f"/{MODIFIERS}/0/data/lo", put(f"{MODIFIERS}/0/data/lo", float("-inf"))),
    ("not-finite", f"/{PARAMETERS}/0/bounds/0/1", put(f"{PARAMETERS}/0/bounds/0/1", float("inf"))),
    ("not-a-number", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", True)),
    ("not-a-number", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", "50")),
    ("not-a-number", f"/{MODIFIERS}/0/data/hi", put(f"{MODIFIERS}/0/data/hi", False)),
    ("not-a-number", "/observations/0/data/1", put("observations/0/data/1", None)),
    ("not-a-number", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", [50.0])),
    ("number-too-large", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", 1e308)),
    ("number-too-large", f"/{BACKGROUND}/data/0", put(f"{BACKGROUND}/data/0", 10**400)),
    ("number-too-large", "/observations/0/data/0", put("observations/0/data/0", 1e16)),
    ("number-too-large", "/channels/1/samples/0/data/0",
     put("channels/1/samples/0/data/0", 1e30)),
    ("number-too-large", f"/{MODIFIERS}/1/data/hi_data/1",
     put(f"{MODIFIERS}/1/data/hi_data/1", 1e30)),
    ("number-too-large", f"/{MODIFIERS}/1/data/lo_data/0",
     put(f"{MODIFIERS}/1/data/lo_data/0", -1e30)),
    # shape of the document
    ("missing-key", "", drop("observations")),
    ("missing-key", f"/{BACKGROUND}", drop(f"{BACKGROUND}/modifiers")),
    ("missing-key", f"/{MODIFIERS}/0/data", drop(f"{MODIFIERS}/0/data/lo")),
    ("missing-key", "/measurements/0/config", drop("measurements/0/config/poi")),
    ("unexpected-key", "/metadata", put("metadata", {})),
    ("unexpected-key", "/channels/0/a~1b~0c", lambda d: d["channels"][0].update({"a/b~c": 1})),
    ("unexpected-key", f"/{MODIFIERS}/0/comment", put(f"{MODIFIERS}/0/comment", "x")),
    ("unexpected-key", f"/{PARAMETERS}/0/init", put(f"{PARAMETERS}/0/init", [1.0])),
    ("bad-version", "/version", put("version", "2.0.0")),
    ("empty-list", "/channels/1/samples", put("channels/1/samples", [])),
    ("empty-list", f"/{BACKGROUND}/data", put(f"{BACKGROUND}/data", [])),
    ("empty-list", "/measurements", put("measurements", [])),
    ("wrong-type", "/channels", put("channels", {})),
    ("wrong-type", "/channels/0", put("channels/0", "SR")),
    ("wrong-type", f"/{BACKGROUND}/data", put(f"{BACKGROUND}/data", 3)),
    ("wrong-type", f"/{SIGNAL}/modifiers/0/data", put(f"{SIGNAL}/modifiers/0/data", 1.0)),
    ("wrong-type", f"/{MODIFIERS}/1/data", put(f"{MODIFIERS}/1/data", [1.0])),
    ("wrong-type", "/measurements/0/config/poi", put("measurements/0/config/poi", None)),
    ("wrong-type", f"/{PARAMETERS}/0/fixed", put(f"{PARAMETERS}/0/fixed", 1)),
    ("bad-name", "/channels/0/name", put("channels/0/name", "")),
    ("bad-name", "/channels/0/name", put("channels/0/name", "\x1b[2J")),
    ("bad-name", "/channels/0/name", put("channels/0/name", "a\u202eb")),
    ("bad-name", f"/{SIGNAL}/modifiers/1/name", put(f"{SIGNAL}/modifiers/1/name", "luminosity")),
    ("wrong-type", "/channels/0/name", put("channels/0/name", 3)),
    ("bad-name", "/channels/0/name", put("channels/0/name", " \u2003 ")),
    ("bad-name", f"/{BACKGROUND}/name", put(f"{BACKGROUND}/name", "\u200b")),
    ("unknown-modifier", f"/{MODIFIERS}/0/type", put(f"{MODIFIERS}/0/type", "overallsys")),
    ("unknown-modifier", f"/{MODIFIERS}/0/type", put(f"{MODIFIERS}/0/type", ["normsys"])),
    # names and lengths
    ("duplicate-channel", "/channels/1/name", put("channels/1/name", "SR")),
    ("duplicate-sample", f"/{BACKGROUND}/name", put(f"{BACKGROUND}/name", "signal")),
    ("duplicate-observation", "/observations/1/name", put("observations/1/name", "SR")),
    ("missing-observation", "/channels/1", put("observations/1/name", "XR")),
    ("duplicate-measurement", "/measurements/1/name",
     lambda d: d["measurements"].append(copy.deepcopy(d["measurements"][0]))),
    ("duplicate-parameter", f"/{PARAMETERS}/1/name",
     lambda d: d["measurements"][0]["config"]["parameters"].append({"name": "lumi"})),
    ("duplicate-modifier", f"/{MODIFIERS}/5",
     put(f"{MODIFIERS}/5", {"name": "norm", "type": "normsys", "data": {"lo": 0.5, "hi": 2.0}})),
    ("wrong-length", f"/{BACKGROUND}/data", put(f"{BACKGROUND}/data", [50.0, 60.0, 70.0])),
    ("wrong-length", "/observations/0/data", put("observations/0/data", [52])),
    ("wrong-length", f"/{MODIFIERS}/1/data/hi_data", put(f"{MODIFIERS}/1/data/hi_data", [5.0])),
    ("wrong-length", f"/{MODIFIERS}/3/data", put(f"{MODIFIERS}/3/data", [5.0, 6.0, 7.0])),
    ("wrong-length", f"/{PARAMETERS}/0/bounds/0", put(f"{PARAMETERS}/0/bounds/0", [0.9])),
    ("wrong-length", f"/{PARAMETERS}/1/inits",
     put(f"{PARAMETERS}/1", {"name": "free", "inits": [1.0]})),
    ("wrong-length", f"/{PARAMETERS}/0/inits", put(f"{PARAMETERS}/0/inits", [1.0, 1.0])),
    # yields and data
    ("negative-expectation", "/channels/0/samples", put(f"{BACKGROUND}/data/0", -60.0)),
    ("negative-data", "/observations/0/data/0", put("observations/0/data/0", -1)),
    ("zero-expectation", "/channels/1/samples", put("channels/1/samples/0/data/0", 0.0)),
    # modifiers
    ("bad-normsys", f"/{MODIFIERS}/0/data/lo", put(f"{MODIFIERS}/0/data/lo", 0)),
    ("bad-normsys", f"/{MODIFIERS}/0/data/hi", put(f"{MODIFIERS}/0/data/hi", -1.1)),
    ("bad-normsys", f"/{MODIFIERS}/0/data/hi", put(f"{MODIFIERS}/0/data/hi", 1e9)),
    ("negative-uncertainty", f"/{MODIFIERS}/3/data/1", put(f"{MODIFIERS}/3/data/1", -6.0)),
    ("negative-uncertainty", f"/{MODIFIERS}/4/data/0", put(f"{MODIFIERS}/4/data/0", -1.0)),
    ("uncertainty-out-of-range", f"/{MODIFIERS}/3/data/0", put(f"{MODIFIERS}/3/data/0", 1e-300)),
    ("name-reuse", f"/{MODIFIERS}/0", put(f"{MODIFIERS}/2/name", "norm")),
    ("name-reuse", f"/{SIGNAL}/modifiers/0", put(f"{MODIFIERS}/1/name", "mu")),
    ("component-name", f"/{MODIFIERS}/0",
     lambda d: [put(f"{place}/0/name", "poisson[1]")(d)
                for place in (MODIFIERS, "channels/1/samples/0/modifiers")]),
    ("lookalike-names", f"/{MODIFIERS}/1", put(f"{MODIFIERS}/1/name", "norm ")),
    ("lookalike-names", "/channels/1/samples/0", lambda d: (
        put(f"{BACKGROUND}/name", "Z\u2192\u00e9")(d),
        put("channels/1/samples/0/name", "Z\u2192e\u0301")(d))),
    ("lookalike-names", "/channels/1", put("channels/1/name", "S\u200bR")),
    ("lookalike-names", f"/{PARAMETERS}/1", put(f"{PARAMETERS}/1", {"name": "mu "})),
    ("lookalike-names", "/measurements/0/config/poi", put("measurements/0/config/poi", " mu")),
    ("shared-shapesys", "/channels/1/samples/0/modifiers/2",
     put("channels/1/samples/0/modifiers/2",
         {"name": "poisson", "type": "shapesys", "data": [5.0]})),
    ("shapefactor-bins", f"/{MODIFIERS}/2",
     put("channels/1/samples/0/modifiers/2", dict(NORM, name="free", type="shapefactor"))),
    ("staterror-mask", f"/{SIGNAL}/modifiers/2", lambda d: (
        put(f"{SIGNAL}/modifiers/2", {"name": "mc", "type": "staterror", "data": [1.0, 1.0]})(d),
        put(f"{MODIFIERS}/4/name", "mc")(d),
        put("channels/1/samples/0/modifiers/1/name", "mc")(d))),
    ("no-parameters", "/channels", lambda d: [
        s["modifiers"].clear() for c in d["channels"] for s in c["samples"]]),
    # measurements
    ("lumi-config", "/measurements/0/config/parameters", put(PARAMETERS, [])),
    ("lumi-config", f"/{PARAMETERS}/0", drop(f"{PARAMETERS}/0/sigmas")),
    ("unsupported-setting", f"/{PARAMETERS}/1/sigmas",
     put(f"{PARAMETERS}/1", {"name": "norm", "sigmas": [1.0]})),
    ("unsupported-setting", f"/{PARAMETERS}/1/auxdata",
     put(f"{PARAMETERS}/1", {"name": "mu", "auxdata": [1.0]})),
    ("unsupported-setting", f"/{PARAMETERS}/1/factors",
     put(f"{PARAMETERS}/1", {"name": "mc_CR", "factors": [1.0]})),
    ("inverted-bounds", f"/{PARAMETERS}/1/bounds/0",
     put(f"{PARAMETERS}/1", {"name": "mu", "bounds": [[5.0, 0.0]]})),
    ("inverted-bounds", f"/{PARAMETERS}/1/bounds/1",
     put(f"{PARAMETERS}/1", {"name": "free", "bounds": [[0.0, 2.0], [1.0, 1.0]]})),
    ("init-outside-bounds", f"/{PARAMETERS}/1/inits/0",
     put(f"{PARAMETERS}/1", {"name": "mu", "inits": [11.0]})),
    ("init-outside-bounds", f"/{PARAMETERS}/1",
     put(f"{PARAMETERS}/1", {"name": "mu", "bounds": [[2.0, 3.0]]})),
    ("bad-width", f"/{PARAMETERS}/0/sigmas/0", put(f"{PARAMETERS}/0/sigmas/0", 0.0)),
    ("bad-width", f"/{PARAMETERS}/1/factors/1",
     put(f"{PARAMETERS}/1", {"name": "poisson", "factors": [100.0, -1.0]})),
    ("bad-width", f"/{PARAMETERS}/1/auxdata",
     put(f"{PARAMETERS}/1", {"name": "poisson", "auxdata": [100.0, -1.0]})),
    ("poi-unknown", "/measurements/0/config/poi", put("measurements/0/config/poi", "mu_SIG")),
    ("poi-unknown", "/measurements/0/config/poi", put("measurements/0/config/poi", "free[2]")),
    ("poi-unknown", "/measurements/0/config/poi", put("measurements/0/config/poi", "norm[0]")),
    ("poi-many", "/measurements/0/config/poi", put("measurements/0/config/poi", "free")),
    ("poi-no-effect", "/measurements/0/config/poi", put(f"{SIGNAL}/data", [0.0, 0.0])),
    ("poi-fixed", "/measurements/0/config/poi",
     put(f"{PARAMETERS}/1", {"name": "mu", "fixed": True})),
    ("zero-expectation", "/channels/1/samples", lambda d: (
        put("channels/1/samples/0/modifiers/0", dict(NORM, name="k"))(d),
        put(f"{PARAMETERS}/1", {"name": "k", "inits": [0], "fixed": True})(d))),
]  # fmt: skip

WARNINGS: list[tuple[str, Change]] = [
    ("unused-observation", put("observations/2", {"name": "XR", "data": [1]})),
    ("empty-bin", lambda d: (put("channels/1/samples/0/data/0", 0.0)(d),
                             put("observations/1/data/0", 0)(d))),
    ("zero-expectation", lambda d: (
        put("channels/1/samples/0/data/0", 0.0)(d),
        put("channels/1/samples/0/modifiers/2", {"name": "shape", "type": "histosys",
            "data": {"lo_data": [0.0], "hi_data": [2.0]}})(d))),
    ("no-background", put("channels/1/samples/0/modifiers/2", NORM)),
    ("empty-sample", put("channels/1/samples/1", {"name": "x", "data": [0.0], "modifiers": []})),
    ("negative-yield", put(f"{SIGNAL}/data/1", -1.0)),
    ("no-background", lambda d: (
        put(f"{BACKGROUND}/data/0", -1.0)(d), put(f"{SIGNAL}/data/0", 3.0)(d))),
    ("huge-yield", put(f"{SIGNAL}/data/0", 1e17)),
    ("zero-uncertainty", lambda d: (
        put(f"{MODIFIERS}/4/data/0", 0.0)(d), put(f"{MODIFIERS}/3/data/0", 0.0)(d))),
    ("frozen-bins", put(f"{BACKGROUND}/data/0", 0.0)),
    ("large-variation", put(f"{MODIFIERS}/0/data/hi", 20.0)),
    ("large-variation", put(f"{MODIFIERS}/1/data/hi_data/0", 2000.0)),
    ("negative-variation", put(f"{MODIFIERS}/1/data/lo_data/0", -1.0)),
    ("wide-uncertainty", put(f"{MODIFIERS}/4/data/0", 51.0)),
    ("wide-uncertainty", put(f"{MODIFIERS}/3/data/1", 61.0)),
    ("one-sided", put(f"{MODIFIERS}/0/data/lo", 1.05)),
    ("one-sided", put(f"{MODIFIERS}/1/data", {"lo_data": [55, 65], "hi_data": [60, 70]})),
    ("no-effect", put(f"{MODIFIERS}/0/data", {"lo": 1.0, "hi": 1})),
    ("no-effect", put(f"{MODIFIERS}/1/data", {"lo_data": [50, 60], "hi_data": [50, 60]})),
    ("unused-parameter", put(f"{PARAMETERS}/1", {"name": "absent"})),
    ("negative-range", put(f"{PARAMETERS}/1", {"name": "mc_CR", "bounds": [[-1.0, 3.0]]})),
    ("names-by-case", put(f"{MODIFIERS}/1/name", "Norm")),
    ("poi-empty", put("measurements/0/config/poi", "")),
]  # fmt: skip


def changed(change: Change) -> dict[str, Any]:
    document = plain()
    change(document)
    return document


def by_severity(findings: tuple[Finding, ...], severity: str) -> list[Finding]:
    return [finding for finding in findings if finding.severity == severity]


def test_a_sound_workspace_has_no_findings() -> None:
    """The document that all cases start from is clean."""
    assert lint(plain()) == ()


@pytest.mark.parametrize(
    ("code", "pointer", "change"), ERRORS, ids=lambda v: v[:60] if isinstance(v, str) else ""
)
def test_errors(code: str, pointer: str, change: Change) -> None:
    """Each fault gives its own code at its own place; nothing passes in silence."""
    errors = by_severity(lint(changed(change)), "error")
    found = {(error.code, error.pointer) for error in errors}
    assert (code, pointer) in found
    for error in errors:
        assert error.code in FINDING_CODES
        assert error.message
        assert error.remedy
        place = re.match(r"/channels/(\d)(/samples/(\d))?", error.pointer)
        if place and error.channel is None:
            assert error.pointer.count("/") <= 3  # the name itself is at fault


@pytest.mark.parametrize(
    ("code", "change"), WARNINGS, ids=lambda v: v[:60] if isinstance(v, str) else ""
)
def test_warnings(code: str, change: Change) -> None:
    """What is legal but odd is reported once, and does not stop anything."""
    findings = lint(changed(change))
    assert by_severity(findings, "error") == []
    assert code in {finding.code for finding in findings}
    assert all(finding.code in FINDING_CODES for finding in findings)


def test_every_code_is_exercised() -> None:
    """No code of the table is without a case."""
    used = {code for code, *_ in ERRORS} | {code for code, _ in WARNINGS}
    assert set(FINDING_CODES) - used == {"too-many-findings"}


def test_channel_and_sample_are_named() -> None:
    """The message names channel and sample in words, beside the pointer."""
    error = by_severity(lint(changed(put(f"{BACKGROUND}/data/1", float("nan")))), "error")[0]
    assert (error.channel, error.sample) == ("SR", "background")
    assert "channel 'SR', sample 'background'" in str(error)


def test_one_finding_per_list() -> None:
    """A list full of faults is one finding that counts them."""
    document = changed(put(f"{BACKGROUND}/data", [True] * 1000))
    errors = by_severity(lint(document), "error")
    assert [e.code for e in errors] == ["not-a-number"]
    assert "999 more" in errors[0].message


def test_the_list_of_findings_is_bounded() -> None:
    """Ten thousand faults give two hundred findings and a note."""
    modifier = {"name": "x", "type": "nothing", "data": None}
    document = changed(put(MODIFIERS, [modifier] * 10_000))
    findings = lint(document)
    assert len(findings) == 201
    assert findings[-1].code == "too-many-findings"


def test_accepted_codes_become_warnings() -> None:
    """A background-only workspace can be read, if one says so; other errors stay errors."""
    document = changed(put("measurements/0/config/poi", "mu_SIG"))
    with pytest.raises(WorkspaceError, match="poi-unknown"):
        require_valid(document)
    assert [f.code for f in require_valid(document, accept=["poi-unknown"])] == ["poi-unknown"]
    bad = changed(put(f"{BACKGROUND}/data/0", True))
    with pytest.raises(WorkspaceError, match="not-a-number"):
        require_valid(bad, accept=["not-a-number"])
    assert set(FINDING_CODES) >= ACCEPTABLE_CODES


def test_control_characters_do_not_reach_the_terminal() -> None:
    """Messages are printable whatever the names are."""
    document = changed(put("channels/0/name", "\x1b]0;x\x07"))
    document["evil\x1b[2J"] = 1
    for finding in lint(document):
        assert str(finding).isprintable()


@pytest.mark.parametrize("document", [None, 3, "text", [], [1], True, {}, {"channels": [[]]}])
def test_anything_can_be_linted(document: Any) -> None:
    """What is no workspace at all gives findings, not a traceback."""
    assert by_severity(lint(document), "error")


def test_the_document_is_not_changed() -> None:
    """Linting only looks."""
    document = random_workspace(np.random.default_rng(3))
    before = copy.deepcopy(document)
    lint(document)
    assert document == before


@given(workspaces())
def test_generated_workspaces_pass(document: dict[str, Any]) -> None:
    """Whatever the generator makes has no errors, also after a trip through JSON."""
    assert by_severity(lint(document), "error") == []
    assert lint(json.loads(json.dumps(document))) == lint(document)


def test_numpy_floats_are_numbers() -> None:
    """A document made in Python with NumPy floats is sound: JSON can write them."""
    assert lint(changed(put(f"{BACKGROUND}/data/0", np.float64(50.0)))) == ()


def test_reference_workspaces_pass(reference_data: Path) -> None:
    """All published workspaces in reach have no errors."""
    paths = sorted((reference_data / "pyhf_validation").glob("[0-9]*.json"))
    assert len(paths) == 9
    for path in paths:
        assert by_severity(read_workspace(path).warnings, "error") == []


def test_a_great_many_measurements_look_at_few_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost grows with the document, not with measurements times bins."""
    document = plain()
    names = [f"k{index}" for index in range(3000)]
    sample = document["channels"][1]["samples"][0]
    sample["data"], document["observations"][1]["data"] = [100.0] * 3000, [99] * 3000
    sample["modifiers"] = [dict(NORM, name=name) for name in names]
    lumi = document["measurements"][0]["config"]["parameters"]
    document["measurements"] = [
        {"name": name, "config": {"poi": name, "parameters": lumi}} for name in names
    ]
    sound, looks = measurement_checks.check_background, []

    def counted(*given: Any, **named: Any) -> None:
        looks.append(1)
        sound(*given, **named)

    monkeypatch.setattr(measurement_checks, "check_background", counted)
    assert by_severity(lint(document), "error") == []
    assert 0 < len(looks) <= measurement_checks.MAX_BACKGROUND_CHECKS


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (8.0, 8.0, "per cent are written 0.92 and 1.08"),
        (0.08, 0.1, "relative errors of 0.08 and 0.1 are written 0.92 and 1.1"),
        (1.05, 1.1, "check both templates"),
    ],
)
def test_factors_that_look_like_errors(low: float, high: float, words: str) -> None:
    document = plain()
    document["channels"][0]["samples"][1]["modifiers"][0]["data"] = {"lo": low, "hi": high}
    found = [one for one in lint(document) if one.code == "one-sided"]
    assert len(found) == 1
    assert words in found[0].remedy


@pytest.mark.parametrize(("excess", "expected"), [(0.0005, 0), (0.5, 1)])
def test_shapes_with_totals_that_are_nominal_but_for_digits(excess: float, expected: int) -> None:
    """Bins move by ten events against each other; both totals are a little above nominal."""
    document = plain()
    sample = document["channels"][0]["samples"][1]
    first, second = sample["data"]
    sample["modifiers"][1]["data"] = {
        "lo_data": [first - 10.0, second + 10.0 + excess],
        "hi_data": [first + 10.0 + excess, second - 10.0],
    }
    assert [one.code for one in lint(document)].count("one-sided") == expected


def test_a_key_that_nearly_is_the_missing_one() -> None:
    document = plain()
    data = document["channels"][0]["samples"][1]["modifiers"][1]["data"]
    document["channels"][0]["samples"][1]["modifiers"][1]["data"] = {
        "hi": data["hi_data"],
        "low_data": data["lo_data"],
    }
    found = {one.pointer.rpartition("/")[2]: one.remedy for one in lint(document)}
    assert found["hi"] == "rename it to 'hi_data'"
    assert found["low_data"] == "rename it to 'lo_data'"
