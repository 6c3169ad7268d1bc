"""Documents of odd meaning that once ended in anything but an answer or a typed refusal."""

from __future__ import annotations

import json
import logging
import os
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import foreign_searches
from darkstats import referee
from darkstats.fit import FitOptions, FitStatus, ladder
from darkstats.fit.lanes import Lanes, Problem
from darkstats.inference.unprofiled import unprofiled_scale
from darkstats.model import compile_workspace
from darkstats.workspace import Workspace
from foreign_searches import write as written
from unbinned_models import bump, compiled

Call = Callable[..., tuple[int, str, str]]


def with_signal() -> dict[str, Any]:
    """The stranger's background with a signal on it."""
    document = foreign_searches.background()
    document["channels"][0]["samples"].append(foreign_searches.operations(3.0)[0]["value"])
    return document


@pytest.mark.parametrize("verb", ["digest", "prune", "rename"])
def test_an_unbinned_document_is_called_one(call: Call, tmp_path: Path, verb: str) -> None:
    """Verbs of workspaces say what the document is, not that it lacks channels."""
    path = written(tmp_path / "u.json", bump())
    option = {"prune": ["-c", "x"], "rename": ["-c", "x=y"]}.get(verb, [])
    status, _, err = call(verb, path, *option)
    assert status == 2
    assert "this is an HS3 document of unbinned likelihoods" in err


def test_more_events_than_can_be_counted(call: Call, tmp_path: Path) -> None:
    """A yield of 1e300 at the start is refused with its name before anything is fitted."""
    document = bump()
    document["functions"][0]["expression"] = "mu * 1e300"
    path = tmp_path / "u.json"
    for start, place in ((1.0, "the start"), (0.0, "mu one higher")):
        document["parameter_points"][0]["parameters"][0]["value"] = start
        status, _, err = call("rank", written(path, document), "--blind")
        assert status == 2
        assert f"'sig' of 'model' expects 1e+300 events at {place}" in err


def test_a_yield_without_curvature(call: Call, tmp_path: Path) -> None:
    """The root of the signal strength at zero: a typed end, and no warning."""
    document = bump()
    document["functions"][0]["expression"] = "sqrt(mu)"
    path = written(tmp_path / "u.json", document)
    status, out, err = call("rank", path, "--blind", "--json", "--threads", 1)
    assert status in {0, 1}
    assert (json.loads(out)["schema"] == "darkstats.error/1") == ("error" in err)


def test_retries_of_events_have_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that Python leads are counted as what they cost, not as their arithmetic."""
    model = compiled(bump())
    problem = Problem.of(model, fix_poi=False, fixed={}, poi_lower=None, poi_upper=None)
    data, auxdata = model.throw(model.inits, np.random.default_rng(1), 2)
    asked: list[int] = []

    def point(*_: object, most_calls: int) -> tuple[np.ndarray, int]:
        asked.append(most_calls)
        return model.inits, most_calls

    monkeypatch.setattr(ladder, "_minuit_point", point)
    starts = np.tile(model.inits, (2, 1))
    climb = ladder._Climb(
        problem, data, auxdata, lanes=Lanes.starting_at(starts),
        status=np.full(2, FitStatus.MAX_STEPS), rung=np.zeros(2, dtype=np.int64),
        options=FitOptions(),
    )  # fmt: skip
    climb.minuit(starts, np.zeros(2, dtype=np.bool_))
    assert asked
    assert max(asked) < 1500
    climb.left, climb.status[:] = 0.0, FitStatus.NOT_FINITE
    monkeypatch.setattr(ladder, "feasible_point", None)  # not called: nothing is left for it
    assert not len(climb.feasible(starts))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("scan", "mu"), [0.0]),
        (("scan", "mu"), []),
        (("scan", "observed"), [[0.5]]),
        (("scan", "expected", 1), ["x"]),
        (("scan", "expected"), [[1.0]]),
        (("scan", "observed"), "x"),
        (("cl",), 1e9),
        (("cl",), "0.95"),
        (("expected",), [1.0]),
        (("expected", 2), [1.0]),
        (("observed",), {}),
        (("mu_hat",), "x"),
        (("poi",), None),
        (("fits",), [1]),
    ],
)
def test_a_faulty_limit_record_is_told(
    call: Call, tmp_path: Path, place: tuple[Any, ...], value: Any
) -> None:
    """A record that is drawn again is read with care: the place is named."""
    record = tmp_path / "limit.json"
    assert call("limit", written(tmp_path / "w.json", with_signal()), "-o", record)[0] == 0
    document = json.loads(record.read_text("utf-8"))
    where = document
    for step in place[:-1]:
        where = where[step]
    where[place[-1]] = value
    status, _, err = call("plot", written(record, document), "-o", tmp_path / "f.png")
    assert status == 2
    assert f"/{place[0]}" in err
    assert not (tmp_path / "f.png").exists()


@pytest.mark.parametrize("kind", ["shapesys", "staterror"])
@pytest.mark.parametrize("scale", [1e-120, 1e-200, 1e-300])
def test_constraints_of_tiny_yields(kind: str, scale: float) -> None:
    """The width of a constraint is a ratio: it does not vanish where its squares do."""

    def widths(size: float) -> list[float]:
        document = with_signal()
        tiny = {"name": "gamma", "type": kind, "data": [0.1 * size, 0.25 * size]}
        document["channels"][0]["samples"].append(
            {"name": "tiny", "data": [size, size], "modifiers": [tiny]}
        )
        model = compile_workspace(Workspace.from_document(document, "test"))
        gammas = [p for p in model.parameters if p.name.startswith("gamma")]
        assert all(not p.fixed for p in gammas)
        return [p.width if kind == "staterror" else p.auxdata for p in gammas]

    assert widths(scale) == pytest.approx(widths(1.0), rel=1e-12)


@pytest.mark.parametrize(
    "words",
    [
        ("fit", "w.json", "-o", "LONG"),
        ("limit", "DEEP"),
        ("inspect", "DEEP"),
        ("scan", "DEEP", "-o", "out"),
        ("shards", "plan", "LONG", "-o", "out"),
        ("fit", "u.json", "--data", "LONG"),
        ("plot", "LONG", "-o", "f.png"),
    ],
)
def test_names_that_no_system_takes(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Too long a name, too deep a path: typed, with the name cut short."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "w.json", with_signal())
    written(tmp_path / "u.json", bump())
    odd = {"LONG": "x" * 5000, "DEEP": "x/" * 3000}
    status, _, err = call(*(odd.get(word, word) for word in words))
    assert status == 2
    assert "darkstats: error:" in err
    assert len(err) < 1000


def test_a_name_with_a_nul(call: Call, tmp_path: Path) -> None:
    """No file, parameter or folder is named so; from a shell it cannot even be given."""
    path = written(tmp_path / "w.json", with_signal())
    status, _, err = call("fit", path, "-o", "a\0b")
    assert status == 2
    assert "NUL" in err


def test_a_density_that_does_not_exist(call: Call, tmp_path: Path) -> None:
    """Rates that a template drives a hair below zero have no density: null, and why."""
    up_down = {"hi_data": [186.5, 116.7, 30.99], "lo_data": [128.7, 98.95, 25.7]}
    document = {
        "version": "1.0.0",
        "channels": [{"name": "c", "samples": [
            {"name": "a", "data": [0.0] * 3,
             "modifiers": [{"name": "h", "type": "histosys", "data": up_down}]},
            {"name": "s", "data": [1.0, 0.0, 0.0],
             "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        ]}],
        "observations": [{"name": "c", "data": [0, 0, 0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }  # fmt: skip
    status, out, _ = call("fit", written(tmp_path / "w.json", document), "--json")
    record = json.loads(out)
    assert status == 0
    if record["minus_two_log_density"] is None:
        assert "below zero" in record["minus_two_log_density_reason"]
    status, out, _ = call("fit", tmp_path / "w.json")
    assert "inf" not in out


@pytest.mark.parametrize("words", [
    ("fit", "w.json", "-o", "a.json"),
    ("fit", "w.json", "--plot", "a.pdf"),
    ("limit", "w.json", "--plot", "a.png", "--csv"),
    ("scan", "b.json", "--patchset", "s.json", "-o", "scan", "--workers", "1"),
    ("shards", "plan", "b.json", "--patchset", "s.json", "-o", "job"),
    ("combine", "w.json", "b.json", "--join", "outer", "--merge-channels", "-o", "a.json"),
    ("patchset", "create", "b.json", "-p", "patch.*.json", "-o", "a.json"),
    ("export", "done/scan.json", "--csv", "a.csv"),
    ("export", "done/scan.json", "--hepdata", "tables"),
    ("plot", "done/scan.json", "-o", "a.svg"),
    ("global", "done", "--toys", "64", "--workers", "1"),
    ("reinterpret", "b.json", "-s", "SR=1.2,3.4", "--missing", "keep", "--write-patch", "a.json"),
    ("template", "init", "-o", "a.yaml"),
])  # fmt: skip
def test_a_full_disk(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Every verb that writes ends with status 2 and leaves no half file."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "w.json", with_signal())
    written(tmp_path / "b.json", foreign_searches.background())
    written(tmp_path / "s.json", foreign_searches.patch_set(["m"], [[1], [2]]))
    written(tmp_path / "patch.m_1.json", foreign_searches.operations(2.0))
    if "done" in str(words):
        assert call("scan", "b.json", "--patchset", "s.json", "-o", "done", "--workers", 1)[0] == 0
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        status, _, err = call(*words)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2
    assert "File too large" in err
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("shift_s", [-3e8, 3e8])
def test_clocks_that_jump(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shift_s: float
) -> None:
    """What is finished stays finished, whatever the times of its files and the clock say."""
    written(tmp_path / "b.json", foreign_searches.background())
    points = foreign_searches.patch_set(["m"], [[k] for k in range(12)])
    written(tmp_path / "s.json", points)
    words = ("scan", tmp_path / "b.json", "--patchset", tmp_path / "s.json", "--workers", 1, "-o")
    assert call(*words, tmp_path / "whole")[0] == 0
    assert call(*words, tmp_path / "part")[0] == 0
    blocks = sorted((tmp_path / "part" / "blocks").glob("*.json"))
    (tmp_path / "part" / "scan.json").unlink()
    blocks[0].unlink()
    kept = {}
    for path in (tmp_path / "part").rglob("*"):
        os.utime(path, (1e9 + shift_s, 1e9 + shift_s))
    for block in blocks[1:]:
        kept[block] = block.stat().st_mtime_ns
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift_s)
    assert call(*words, tmp_path / "part")[0] == 0
    assert {block: block.stat().st_mtime_ns for block in kept} == kept
    whole, part = ((tmp_path / name / "scan.json").read_bytes() for name in ("whole", "part"))
    assert whole == part


def test_densities_at_places_without_any(call: Call, tmp_path: Path) -> None:
    """A yield and a width that do not exist at an end of the range warn nobody."""
    document = bump()
    document["functions"][0]["expression"] = "mu / alpha"
    path = written(tmp_path / "u.json", document)
    for verb in ("significance", "rank"):
        assert call(verb, path, "--threads", 1)[0] in {0, 1, 2}


def test_names_that_steer_a_terminal(call: Call, tmp_path: Path) -> None:
    """A column of a file of events is named in the message, spelled in plain letters."""
    path = written(tmp_path / "u.json", bump())
    (tmp_path / "e.csv").write_bytes(b"a\x1b[31mred\x07\n0.5\n")
    status, _, err = call("fit", path, "--data", tmp_path / "e.csv", "--unblind")
    assert status == 2
    assert "a\\x1b[31mred\\x07" in err
    assert not set(err) & set("\x1b\x07")


def test_letters_that_no_font_has(call: Call, tmp_path: Path) -> None:
    """A figure shows them as boxes and warns nobody."""
    document = with_signal()
    document["channels"][0]["name"] = document["observations"][0]["name"] = "\U0001f600"
    path = written(tmp_path / "w.json", document)
    status, _, err = call("fit", path, "--plot", f"prefit={tmp_path / 'f.png'}")
    assert (status, "Glyph" in err) == (0, False)


@pytest.mark.parametrize(
    "text",
    [
        '{"schema": "darkstats.meta/1", "title": "\\ud800"}',
        '{"schema": "darkstats.meta/1", "channels": {"SR": {"edges": [0, NaN, 2]}}}',
        '{"schema": "darkstats.meta/1", "title": "a", "title": "b"}',
        "{",
        "\xff",
    ],
)
def test_labels_are_read_like_any_document(call: Call, tmp_path: Path, text: str) -> None:
    """No half letters, no numbers that are none, no key twice: the sidecar is named."""
    path = written(tmp_path / "w.json", with_signal())
    (tmp_path / "w.meta.json").write_bytes(text.encode("latin-1"))
    status, _, err = call("fit", path, "--plot", f"prefit={tmp_path / 'f.png'}")
    assert status == 2
    assert "w.meta.json" in err


def test_inspecting_what_lacks_a_key(call: Call, tmp_path: Path) -> None:
    """Data without their type are told as a fault of the document."""
    document = bump()
    del document["data"][0]["type"]
    status, _, err = call("inspect", written(tmp_path / "u.json", document))
    assert (status, "not as HS3 has it" in err) == (2, True)


def test_densities_that_are_zero_wherever_they_are_drawn(call: Call, tmp_path: Path) -> None:
    """An Asimov statistic so large that nothing of its density is in the frame."""
    samples = [
        {
            "name": "signal",
            "data": [0.0, 2e11, 3e12, 1e15],
            "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
        },
        {
            "name": "background",
            "data": [97.0, 51.0, 73.0, 17.0],
            "modifiers": [{"name": "free", "type": "shapefactor", "data": None}],
        },
    ]
    document = {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [103, 50, 75, 20]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path, figure = tmp_path / "w.json", tmp_path / "f.png"
    path.write_text(json.dumps(document), "utf-8")
    status, _, err = call("hypotest", path, "--test-stat", "q0", "--plot", figure)
    assert status == 0, err
    assert figure.stat().st_size > 0


def test_a_record_whose_errors_are_negative_is_refused(call: Call, tmp_path: Path) -> None:
    """It was an internal error of the figure: each number by itself is one."""
    pytest.importorskip("mplhep", reason="mplhep is an optional extra")
    source, record = (
        written(tmp_path / "w.json", with_signal()),
        tmp_path / "limit.json",
    )
    words = ("--calculator", "toys", "--toys", "200")
    assert call("limit", source, *words, "-o", record)[0] == 0
    found = json.loads(record.read_text("utf-8"))
    found["scan"]["observed_error"] = [-1.0 for _ in found["scan"]["observed_error"]]
    written(record, found)
    status, _, said = call("plot", record, "-o", tmp_path / "f.png")
    assert status == 2
    assert "holds numbers of which no figure can be made" in said
    assert not (tmp_path / "f.png").exists()


def test_the_referee_keeps_its_log_to_itself(caplog: pytest.LogCaptureFixture) -> None:
    """pyhf logs the traceback of a fit that it gives up; the verdict says it."""
    log = logging.getLogger("pyhf.optimize.mixins")
    log.error("said")
    with referee._silent("pyhf"):
        log.error("hidden")
    log.error("said again")
    assert caplog.messages == ["said", "said again"]


def test_a_deviance_that_overflows_is_infinite(call: Call, tmp_path: Path) -> None:
    document = with_signal()
    for channel in document["observations"]:
        channel["data"] = [1e306 for _ in channel["data"]]
    status, _, _ = call("fit", written(tmp_path / "w.json", document))
    assert status in {0, 1, 2}


def test_a_name_that_is_no_text_is_refused(call: Call, tmp_path: Path) -> None:
    """A shell hands over bytes that are no UTF-8 as half a surrogate pair."""
    source = written(tmp_path / "w.json", with_signal())
    status, _, said = call("rename", source, "--channel", "SR=\udc80")
    assert status == 2
    assert "is no text in UTF-8" in said
    status, _, said = call("rename", source, "--channel", "SR=\u202e")
    assert status == 2
    assert "[bad-name]" in said


@pytest.mark.parametrize(("kind", "key"), [("domains", "axes"), ("parameter_points", "parameters")])
@pytest.mark.parametrize("value", [None, 3, "x", [1], {}])
def test_a_list_that_an_unbinned_document_lacks(
    call: Call, tmp_path: Path, kind: str, key: str, value: Any
) -> None:
    document = bump()
    document[kind][0][key] = value
    source = written(tmp_path / "u.json", document)
    for verb in ("fit", "scan"):
        more = ["-o", tmp_path / "out"] if verb == "scan" else []
        status, _, said = call(verb, source, *more)
        assert status == 2
        assert f"has no list {key!r} of objects" in said or key in said


@pytest.mark.parametrize("name", ["A\u202e B", "A\nB", " "])
def test_an_author_is_plain_text(call: Call, tmp_path: Path, name: str) -> None:
    source = written(tmp_path / "w.json", with_signal())
    status, _, said = call("publish", source, "-o", tmp_path / "out", "--author", name)
    assert status == 2
    assert "is no name" in said


@pytest.mark.parametrize("value", [[], {}, 3, None])
def test_couplings_of_a_record_are_named_by_text(call: Call, tmp_path: Path, value: Any) -> None:
    background = written(tmp_path / "w.json", foreign_searches.background())
    patches = written(tmp_path / "set.json", foreign_searches.patch_set(["m"], [[1.0], [2.0]]))
    folder = tmp_path / "scan"
    assert call("scan", background, "--patchset", patches, "-o", folder)[0] == 0
    record = json.loads((folder / "scan.json").read_text("utf-8"))
    limits = written(tmp_path / "limits.json", {**record, "benchmarks": [value]})
    for words in (
        ["publish", background, "--patchset", patches, "--scan", limits],
        ["plot", limits],
    ):
        status, _, said = call(*words, "-o", tmp_path / f"{words[0]}.png")
        assert status == 2
        assert "/benchmarks/0: is " in said
        assert "which is no text" in said


@pytest.mark.parametrize("operation", [[], 3, None, "replace", {"op": []}])
def test_operations_of_a_bundle_may_be_no_objects(
    call: Call, tmp_path: Path, operation: Any
) -> None:
    """What is no bundle of ours is looked at, too, and no patch has been checked there."""
    (tmp_path / "foreign").mkdir()
    made = foreign_searches.patch_set(["m"], [[1.0], [2.0]])
    made["patches"][0]["patch"] = [operation]
    written(tmp_path / "foreign/background_only.json", foreign_searches.background())
    written(tmp_path / "foreign/patchset.json", made)
    status, _, said = call("verify", tmp_path / "foreign", "--workers", "1")
    assert status == 2
    assert "point_0" in said or "/patches/0" in said


@pytest.mark.parametrize(("coupling", "size"), [("1e200", "inf"), ("1e-300", "0")])
def test_a_signal_beyond_the_range_of_numbers(
    call: Call, tmp_path: Path, coupling: str, size: str
) -> None:
    table = tmp_path / "x.csv"
    table.write_text("mass_gev,cross_section_fb,reference_coupling,power\n1,9,0.1,2\n2,5,0.1,2\n")
    words = [
        "limit",
        written(tmp_path / "w.json", with_signal()),
        "--cross-sections",
        table,
    ]
    status, _, said = call(*words, "--unit-signal", f"g={coupling}", "--mass", "1")
    assert status == 2
    assert f"signal strength 1 is {size} fb by --unit-signal" in said


@pytest.mark.parametrize("schema", [{}, [], None, 3, {"a": 1}])
def test_a_schema_that_is_no_text_is_named(call: Call, tmp_path: Path, schema: Any) -> None:
    record = written(tmp_path / "fit.json", {"schema": schema})
    status, _, said = call("plot", record, "-o", tmp_path / "f.png")
    assert status == 2
    assert "of which no figure can be made again" in said


def test_a_fit_without_free_parameters_has_nothing_to_vary(call: Call, tmp_path: Path) -> None:
    """Where its one point has no likelihood, no minimiser is asked."""
    modifiers = [{"name": "k", "type": "shapesys", "data": [13.0]}]
    strength = [{"name": "mu", "type": "normfactor", "data": None}]
    document = {
        "channels": [{"name": "SR", "samples": [
            {"name": "bkg", "data": [127.0], "modifiers": modifiers},
            {"name": "signal", "data": [16.0], "modifiers": strength}]}],
        "observations": [{"name": "SR", "data": [0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }  # fmt: skip
    source = written(tmp_path / "w.json", document)
    status, _, said = call("fit", source, "--mu", "0", "--fix", "k=0")
    assert status in {1, 2}
    assert "darkstats: error" in said


def test_an_observable_up_to_the_largest_number(call: Call, tmp_path: Path) -> None:
    document = bump()
    document["data"][0]["axes"][0]["max"] = 1.7976931348623157e308
    status, _, said = call("fit", written(tmp_path / "u.json", document))
    assert status == 2
    assert "within 1e100" in said


@pytest.mark.parametrize(
    "words",
    [
        ["limit", "w.json", "--cross-sections", "sigma_fb = \ud800", "--unit-signal", "2.5 fb"],
        ["limit", "w.json", "--poi", "mu\udc80"],
        ["publish", "w.json", "-o", "out", "--author", "\udcff"],
        ["export", "scan.json", "--hepdata", "sub", "--reaction", "\ud800"],
        ["plot", "scan.json", "-o", "f.png", "--note", "\udc80"],
    ],
)
def test_words_are_text(call: Call, tmp_path: Path, words: list[str]) -> None:
    """Whatever an option is for; names of files may be any bytes."""
    status, _, said = call(*words)
    assert status == 2
    assert "is no text in UTF-8" in said


def test_a_file_may_have_any_name(call: Call, tmp_path: Path) -> None:
    source = written(tmp_path / "w\udc80.json", with_signal())
    status, out, _ = call("limit", source, "--json", "-o", tmp_path / "out\udcff.json")
    assert status == 0
    assert json.loads(out)["observed"] > 0.0
    assert (tmp_path / "out\udcff.json").exists()


def test_a_label_longer_than_a_page(call: Call, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="draws a figure")
    source = written(tmp_path / "w.json", with_signal())
    labels = {"SR": {"label": "Z" * 300, "axis": "x" * 400}}
    meta = {"schema": "darkstats.meta/1", "simulated": True, "channels": labels}
    written(tmp_path / "w.meta.json", meta)
    status, _, _ = call("fit", source, "--plot", f"prefit={tmp_path / 'f.png'}")
    assert status == 0


@pytest.mark.parametrize(
    "parts",
    [{"distributions": [{"name": [[]], "type": "histfactory_dist"}]}, {"distributions": 5},
     {"distributions": [], "likelihoods": True}],
)  # fmt: skip
def test_what_holds_no_distributions_is_no_document(
    call: Call, tmp_path: Path, parts: dict[str, Any]
) -> None:
    document = {"metadata": {"hs3_version": "0.2"}, **parts}
    status, _, said = call("hypotest", written(tmp_path / "h.json", document))
    assert status == 2
    assert "darkstats: error" in said


def test_masked_rates_may_overflow() -> None:
    """What masked bins expect takes no part in how far a limit is looked for."""

    def rates(points: np.ndarray) -> np.ndarray:
        mu = points[:, 0]
        without_end = np.where(mu > 1e3, np.inf, 0.0)
        return np.stack([9.0 + mu, without_end, -without_end], axis=1)

    model = SimpleNamespace(
        poi_index=0, poi_name="mu", expected_rates=rates,
        masked_bins=np.array([False, True, True]),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = unprofiled_scale(model, np.zeros(1), target=5.0)
    deviance = 2.0 * (found - 9.0 * np.log1p(found / 9.0))
    assert deviance == pytest.approx(25.0, rel=0.05)  # between points that differ by a factor 1.8


def test_an_error_beyond_all_yields_overflows_nowhere(call: Call, tmp_path: Path) -> None:
    """An empty bin with an error, over a sample whose yield is nearly nothing."""
    strength = [{"name": "mu", "type": "normfactor", "data": None}]
    stat = {"name": "stat", "type": "staterror"}
    document = {
        "channels": [{"name": "SR", "samples": [
            {"name": "empty", "data": [0.0], "modifiers": [stat | {"data": [7.0]}]},
            {"name": "bkg", "data": [5e-107], "modifiers": [stat | {"data": [1e-107]}]},
            {"name": "flat", "data": [30.0], "modifiers": []},
            {"name": "signal", "data": [16.0], "modifiers": strength}]}],
        "observations": [{"name": "SR", "data": [31]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }  # fmt: skip
    status, out, said = call("gof", written(tmp_path / "w.json", document), "--json")
    assert status == 0, said
    assert json.loads(out)["statistic"] == pytest.approx(0.0, abs=1e-9)  # the signal fills it up
