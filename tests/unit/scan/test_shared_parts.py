"""Points of a scan share what the samples of their background give, and nothing else."""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkstats.errors import InputError
from darkstats.model import compile_workspace
from darkstats.scan.limits import scan_points, workspace_of_point
from darkstats.scan.mass_hypotheses import MassHypothesis
from darkstats.scan.settings import ScanSettings
from darkstats.workspace import canonical_digest, lint, pyhf_digest, structure
from darkstats.workspace.shared_parts import SharedParts

if TYPE_CHECKING:
    import pytest

Document = dict[str, Any]


def _modifier(name: str, kind: str, data: Any = None) -> Document:
    return {"name": name, "type": kind, "data": data}


def background() -> Document:
    """Two channels with every type of modifier, of which the linter has much to say."""
    first = {
        "name": "first",
        "samples": [
            {
                "name": "a",
                "data": [20.0, 30, -0.0, 5.5],
                "modifiers": [
                    _modifier("norm", "normsys", {"lo": 0.9, "hi": 1.1}),
                    _modifier("one", "normsys", {"lo": 1.1, "hi": 1.2}),
                    _modifier("none", "normsys", {"lo": 1, "hi": 1}),
                    _modifier(
                        "shape",
                        "histosys",
                        {"lo_data": [18, 29, 0.0, 5], "hi_data": [22, 31, 0.5, 6]},
                    ),
                    _modifier("stat_first", "staterror", [1.0, 2.0, 0.5, 1.0]),
                ],
            },
            {
                "name": "b",
                "data": [5.0, 6.0, 7.0, 8.0],
                "modifiers": [
                    _modifier("free", "normfactor"),
                    _modifier("shape", "histosys", {"lo_data": [4, 5, 7, 8], "hi_data": [6] * 4}),
                    _modifier("stat_first", "staterror", [0.5, 0.5, 0.5, 0.5]),
                ],
            },
        ],
    }
    second = {
        "name": "second",
        "samples": [
            {
                "name": "a",
                "data": [50.0, 40.0],
                "modifiers": [
                    _modifier("norm", "normsys", {"lo": 0.95, "hi": 1.06}),
                    _modifier("count", "shapesys", [5.0, 0.0]),
                ],
            },
            {"name": "b", "data": [9.0, 3.0], "modifiers": [_modifier("free", "normfactor")]},
        ],
    }
    return {
        "channels": [first, second],
        "observations": [
            {"name": "first", "data": [26.0, 37.0, 6.0, 14.0]},
            {"name": "second", "data": [61.0, 42.0]},
        ],
        "measurements": [
            {
                "name": "m",
                "config": {"poi": "mu", "parameters": [{"name": "free", "bounds": [[0, 9]]}]},
            }
        ],
        "version": "1.0.0",
    }


SIGNAL = {
    "name": "signal",
    "data": [1.0, 2.0, 3.0, 1.0],
    "modifiers": [_modifier("mu", "normfactor")],
}
ADD: Document = {"op": "add", "path": "/channels/0/samples/-", "value": SIGNAL}
FRONT: Document = {"op": "add", "path": "/channels/0/samples/0", "value": SIGNAL}
WIDE = {"lo": 0.8, "hi": 1.2}
EXTRA = {
    "name": "extra",
    "samples": [{"name": "a", "data": [3.0], "modifiers": [_modifier("norm", "normsys", WIDE)]}],
}
A = "/channels/0/samples/0"


def _op(op: str, path: str, value: Any = None, source: str | None = None) -> Document:
    found = {"op": op, "path": path, "value": value}
    return found if source is None else {**found, "from": source}


HOSTILE: dict[str, list[Document]] = {
    "a signal": [ADD],
    "a signal before the others": [FRONT],
    "another yield": [ADD, _op("replace", "/channels/0/samples/0/data/1", 31.0)],
    "an integer for the same number": [ADD, _op("replace", "/channels/0/samples/1/data/0", 5)],
    "a negative zero": [ADD, _op("replace", "/channels/0/samples/1/data/0", -0.0)],
    "another variation": [
        ADD, _op("replace", "/channels/0/samples/0/modifiers/3/data/hi_data/0", 25.0)
    ],
    "a modifier more": [
        ADD,
        _op("add", "/channels/1/samples/1/modifiers/-", _modifier("new", "normsys", WIDE)),
    ],
    "a modifier twice": [
        ADD, _op("copy", f"{A}/modifiers/-", source=f"{A}/modifiers/0")
    ],
    "a modifier less": [ADD, _op("remove", "/channels/0/samples/1/modifiers/2")],
    "the other order of modifiers": [
        ADD, _op("move", f"{A}/modifiers/0", source=f"{A}/modifiers/4")
    ],
    "another name of a parameter": [
        ADD, _op("replace", "/channels/0/samples/0/modifiers/0/name", "other")
    ],
    "another name of a channel": [
        ADD,
        _op("replace", "/channels/0/name", "third"),
        _op("replace", "/observations/0/name", "third"),
    ],
    "another name of a sample": [ADD, _op("replace", "/channels/0/samples/0/name", "c")],
    "a channel more": [
        ADD,
        _op("add", "/channels/0", EXTRA),
        _op("add", "/observations/-", {"name": "extra", "data": [4.0]}),
    ],
    "a channel less": [FRONT, _op("remove", "/channels/1"), _op("remove", "/observations/1")],
    "channels in the other order": [ADD, _op("move", "/channels/0", source="/channels/1")],
    "a sample in another channel": [
        ADD, _op("move", "/channels/1/samples/-", source="/channels/0/samples/1")
    ],
    "a sample copied": [ADD, _op("copy", "/channels/0/samples/-", source="/channels/0/samples/1")],
    "a sample of the wrong length": [ADD, _op("remove", "/channels/0/samples/1/data/0")],
    "other data": [ADD, _op("replace", "/observations/0/data/2", 9.0)],
    "no channel": [_op("replace", "/channels", [])],
    "nonsense in a sample": [ADD, _op("replace", "/channels/0/samples/0/modifiers", None)],
    "nonsense in a modifier": [ADD, _op("replace", "/channels/0/samples/1/modifiers/0", 3)],
    "another document": [_op("replace", "", [1, 2])],
}  # fmt: skip
SETTINGS = ScanSettings(interpolation="normsys=code4,histosys=code4p")


def _seen(base: Document, patch: list[Document], shared: SharedParts | None) -> list[Any]:
    """All that a workspace and its model are; the error, where it is none."""
    try:
        named = MassHypothesis(name="p", values=(1,), patch=tuple(patch))
        workspace = workspace_of_point(base, named, SETTINGS, shared)
        found = [workspace.document, workspace.warnings, workspace.unusable]
        found += [workspace.digest, workspace.canonical_digest]
        model = compile_workspace(workspace)
    except InputError as error:
        return [type(error), str(error), getattr(error, "findings", ())]
    arrays = [*model.layout, *model.numbers, model.observation.counts, model.observation.auxdata]
    found += [model.digest, model.parameters, model.one_sided, model.channels, model.samples]
    found += [one if isinstance(one, int) else one.tobytes() for one in arrays]
    assert workspace.digest == pyhf_digest(workspace.document)
    assert workspace.canonical_digest == canonical_digest(workspace.document)
    return found


def test_whatever_a_patch_does_is_looked_at() -> None:
    """Digests, findings, errors and models are those without sharing, in any order of patches."""
    base = background()
    before = copy.deepcopy(base)
    shared = SharedParts(base)
    expected = {name: _seen(base, patch, None) for name, patch in HOSTILE.items()}
    assert len({str(found) for found in expected.values()}) == len(HOSTILE)
    for names in (list(HOSTILE), list(reversed(HOSTILE))):
        for name in names:
            assert _seen(base, HOSTILE[name], shared) == expected[name], name
    assert base == before


def _places(value: Any, at: str = "") -> list[str]:
    if isinstance(value, list):
        value = dict(enumerate(value))
    items = value.items() if isinstance(value, dict) else ()
    return [at, *(place for key, item in items for place in _places(item, f"{at}/{key}"))]


def test_random_patches_give_the_same() -> None:
    """Operations on any places of the document, three at a time."""
    base = background()
    shared = SharedParts(base)
    places = _places(base)[1:]
    values = [0, 1.5, -2.0, "norm", [1.0, 2.0], None, SIGNAL, _modifier("x", "normfactor")]
    draw = random.Random(5)
    made = 0
    yields = [place for place in places if re.search(r"/data/\d+$", place)]
    for _ in range(400):
        patch = [ADD]
        for _ in range(draw.randint(1, 3)):
            if draw.random() < 0.7:
                patch.append(_op("replace", draw.choice(yields), draw.choice([0, 7, 20.0, -0.0])))
                continue
            kind = draw.choice(["add", "remove", "replace", "move", "copy"])
            patch.append(_op(kind, draw.choice(places), draw.choice(values), draw.choice(places)))
        expected = _seen(base, patch, None)
        made += isinstance(expected[0], dict)
        assert _seen(base, patch, shared) == expected, patch
    assert 40 < made < 360  # some make a model, some do not


def test_a_document_of_another_base_shares_nothing() -> None:
    """Equal samples that are other objects are looked at afresh."""
    shared = SharedParts(background())
    other = background()
    other["channels"][0]["samples"][0]["data"][0] = 21.0
    for _ in range(2):
        assert _seen(other, [ADD], shared) == _seen(other, [ADD], None)
    assert not shared.holds(other["channels"][1]["samples"][0])


def test_accepted_errors_are_those_of_each_call() -> None:
    """What is kept does not depend on which errors a caller accepts."""
    base = background()
    shared = SharedParts(base)
    for accept in ((), ("poi-unknown",), ()):
        for every in (False, True):
            expected = lint(base, accept=accept, every=every)
            assert lint(base, accept=accept, every=every, shared=shared) == expected


def test_samples_of_the_background_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the second hypothesis only its signal is checked, written and turned into arrays."""
    base = background()
    shared = SharedParts(base)
    names: list[str] = []
    inner = structure._sample

    def counted(sample: Any, *others: Any) -> Any:
        names.append(sample["name"])
        return inner(sample, *others)

    monkeypatch.setattr(structure, "_sample", counted)
    texts: list[int] = []
    dumps = json.dumps

    def written(value: Any, **options: Any) -> str:
        text = dumps(value, **options)
        texts.append(len(text))
        return text

    counts = []
    for yields in ([1.0, 2.0, 3.0, 1.0], [2.0, 4.0, 6.0, 2.0]):
        names.clear()
        texts.clear()
        patch = [_op("add", "/channels/0/samples/-", {**SIGNAL, "data": yields})]
        with monkeypatch.context() as here:
            here.setattr("darkstats.workspace.spec.json.dumps", written)
            named = MassHypothesis(name="p", values=(1,), patch=tuple(patch))
            workspace = workspace_of_point(base, named, SETTINGS, shared)
            assert workspace.digest != workspace.canonical_digest
        counts.append((list(names), max(texts)))
    assert counts[0][0] == ["a", "b", "signal", "a", "b"]
    assert counts[1][0] == ["signal"]
    assert counts[1][1] < counts[0][1]


def test_a_scan_has_the_same_points(repository: Path) -> None:
    """Every number, digest and sentence of each point, with sharing and without."""
    folder = repository / "workspaces/examples/mass_scan"
    base = json.loads((folder / "background_only.json").read_text("utf-8"))
    document = json.loads((folder / "patchset.json").read_text("utf-8"))
    patches = [
        MassHypothesis(
            name=p["metadata"]["name"],
            values=tuple(p["metadata"]["values"]),
            patch=tuple(p["patch"]),
        )
        for p in document["patches"][:3]
    ]
    found = [
        [point.plain() for point in scan_points(base, patches, SETTINGS, shared=shared)]
        for shared in (None, SharedParts(base))
    ]
    assert found[0] == found[1]
    assert all(point["status"] == "ok" for point in found[0])
