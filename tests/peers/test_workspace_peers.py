"""Workspaces beside pyhf: digests, operations, schema, and what a model can be made of."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyhf
import pytest

from darkstats.errors import DocumentError, OptionError, WorkspaceError
from darkstats.workspace import (
    DEFERRED_CODES,
    PatchSet,
    Workspace,
    combine,
    lint,
    parse_json,
    prune,
    pyhf_digest,
    read_workspace,
    rename,
    sort,
)
from darkstats.workspace.nominal import nominal_values
from soak.mutated_workspaces import base, mutated
from strategies import random_workspace

if TYPE_CHECKING:
    from pathlib import Path

CODES = (
    {"normsys": {"interpcode": "code4"}, "histosys": {"interpcode": "code4p"}},
    {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}},
)
SEEDS = pytest.mark.parametrize("seed", range(25))


def pair(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two workspaces that may share channels, samples, modifiers and a measurement name."""
    rng = np.random.default_rng(seed)
    left, right = random_workspace(rng), random_workspace(rng)
    if seed % 5 == 0:  # a common, equal part
        right = copy.deepcopy(left)
        extra = copy.deepcopy(left["channels"][0])
        for sample in extra["samples"]:
            sample["modifiers"] = [m for m in sample["modifiers"] if m["type"] == "normfactor"]
        extra["name"] = "extra"
        right["channels"].append(extra)
        right["observations"].append(
            {"name": "extra", "data": [5] * len(extra["samples"][0]["data"])}
        )
    elif seed % 2:  # nothing in common but parameters
        for channel in [*right["channels"], *right["observations"]]:
            channel["name"] += "_right"
        for measurement in right["measurements"]:
            measurement["name"] += "_right"
        right["measurements"] = right["measurements"][:1]
    return left, right


def log_density(document: dict[str, Any], settings: dict[str, Any]) -> float:
    workspace = pyhf.Workspace(document)
    model = workspace.model(modifier_settings=settings)
    return float(model.logpdf(model.config.suggested_init(), workspace.data(model))[0])


@SEEDS
def test_generated_workspaces_are_accepted(seed: int) -> None:
    """pyhf makes a model of them, with both pairs of codes, and its density is finite."""
    document = random_workspace(np.random.default_rng(seed))
    for settings in CODES:
        assert np.isfinite(log_density(document, settings))


@SEEDS
def test_digests(seed: int) -> None:
    """The digest is that of pyhf."""
    document = random_workspace(np.random.default_rng(seed))
    workspace = read_workspace(json.dumps(document).encode())
    assert workspace.digest == pyhf.utils.digest(document)


@SEEDS
@pytest.mark.parametrize("join", ["none", "outer", "left outer", "right outer"])
@pytest.mark.parametrize("merge", [False, True])
def test_combine(seed: int, join: str, merge: bool) -> None:
    """The combination equals that of pyhf; what pyhf refuses is refused here."""
    left, right = pair(seed)
    one, two = Workspace.from_document(left), Workspace.from_document(right)
    try:
        expected = pyhf.Workspace.combine(
            pyhf.Workspace(left), pyhf.Workspace(right), join=join, merge_channels=merge
        )
    except (pyhf.exceptions.InvalidWorkspaceOperation, ValueError):
        with pytest.raises((OptionError, WorkspaceError)):
            combine(one, two, join=join, merge_channels=merge)  # type: ignore[arg-type]  # any join
        return
    before = copy.deepcopy((left, right))
    try:
        got = combine(one, two, join=join, merge_channels=merge)  # type: ignore[arg-type]  # same
    except WorkspaceError as error:  # pyhf joins without asking whether a model comes out
        refused = {finding.code for finding in error.findings}
    else:
        assert got.document == dict(expected)
        assert (left, right) == before
        return
    assert refused - DEFERRED_CODES <= {
        "wrong-length", "name-reuse", "shared-shapesys", "staterror-mask", "shapefactor-bins",
        "unsupported-setting", "zero-expectation",
    }  # fmt: skip
    with pytest.raises(Exception):  # noqa: B017, PT011  - whatever pyhf raises late
        log_density(dict(expected), CODES[0])


def valued(workspace: Workspace, kinds: set[str], *, by_name: bool = False) -> bool:
    """Whether a measurement has a modifier of these types where it changes yields.

    pyhf drops the value together with the modifier; here it stays, or is refused.
    """
    names = {name for name, kind in workspace.modifiers if kind in kinds}
    return any(
        nominal.has_effect and (nominal.types & kinds or (by_name and name in names))
        for measurement in workspace.document["measurements"]
        for name, nominal in nominal_values(workspace.document, measurement).items()
    )


@SEEDS
def test_prune_rename_and_sort(seed: int) -> None:
    """Each operation gives the document that pyhf gives."""
    document = random_workspace(np.random.default_rng(seed + 100))
    ours, theirs = Workspace.from_document(document), pyhf.Workspace(document)
    assert sort(ours).document == dict(pyhf.Workspace.sorted(theirs))
    names = {name: f"{name}_new" for name in ours.channel_names}
    samples = {name: f"{name}_new" for name in ours.sample_names}
    modifiers = {name: f"{name}_new" for name, kind in ours.modifiers if kind != "lumi"}
    measurements = {name: f"{name}_new" for name in ours.measurement_names}
    renamed = rename(
        ours, channels=names, samples=samples, modifiers=modifiers, measurements=measurements
    )
    assert renamed.document == dict(
        theirs.rename(
            channels=names, samples=samples, modifiers=modifiers, measurements=measurements
        )
    )
    cut = [name for name, kind in ours.modifiers if kind in {"normsys", "shapesys"}]
    if not valued(ours, {"normsys", "shapesys"}, by_name=True):
        assert prune(ours, modifiers=cut).document == dict(theirs.prune(modifiers=cut))
    if ours.channel_names[1:]:
        gone = ours.channel_names[:1]
        assert prune(ours, channels=gone).document == dict(theirs.prune(channels=list(gone)))
    kinds = sorted({kind for _, kind in ours.modifiers} & {"staterror", "histosys"})
    known = all(kind in dict(theirs.modifiers).values() for kind in kinds)
    if known and not valued(ours, set(kinds)):
        assert prune(ours, modifier_types=kinds).document == dict(
            theirs.prune(modifier_types=kinds)
        )


def test_what_passes_the_linter_makes_a_model() -> None:
    """Of 400 broken workspaces, pyhf makes a model of each one that the linter lets through."""
    passed = 0
    for case in range(400):
        try:
            document = parse_json(mutated(3, case, base(3, case)))
        except DocumentError:
            continue
        if any(finding.severity == "error" for finding in lint(document)):
            continue
        passed += 1
        workspace = pyhf.Workspace(document)
        for name in workspace.measurement_names:
            model = workspace.model(measurement_name=name, modifier_settings=CODES[0])
            value = model.logpdf(model.config.suggested_init(), workspace.data(model))[0]
            warned = {finding.code for finding in lint(document)}
            assert np.isfinite(value) or warned & {"zero-expectation", "large-variation"}
    assert passed > 10


def test_whatever_breaks_pyhfs_schema_is_refused() -> None:
    """Of 400 broken workspaces, none that fails pyhf's schema passes the linter."""
    for case in range(400):
        try:
            document = parse_json(mutated(4, case, base(4, case)))
        except DocumentError:
            continue
        try:
            pyhf.schema.validate(document, "workspace.json", version="1.0.0")
        except pyhf.exceptions.InvalidSpecification:
            assert any(finding.severity == "error" for finding in lint(document))


def test_patch_sets() -> None:
    """The same point gives the same workspace."""
    background = random_workspace(np.random.default_rng(6))
    signal = {"name": "new", "data": [1.0] * len(background["channels"][0]["samples"][0]["data"]),
              "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}  # fmt: skip
    document = {
        "version": "1.0.0",
        "metadata": {
            "references": {"hepdata": "ins1234567"},
            "digests": {"sha256": pyhf_digest(background)},
            "labels": ["m"],
            "description": "one point",
        },
        "patches": [
            {
                "metadata": {"name": "m_1", "values": [1]},
                "patch": [{"op": "add", "path": "/channels/0/samples/0", "value": signal}],
            }
        ],
    }
    expected = pyhf.PatchSet(document).apply(pyhf.Workspace(background), "m_1")
    assert PatchSet.from_document(document).apply(background, [1.0]) == dict(expected)


def test_published_digests(reference_data: Path) -> None:
    """The digests of the published workspaces are those of pyhf, patched and not."""
    for path in sorted((reference_data / "pyhf_validation").glob("[0-9]*.json")):
        expected = pyhf.utils.digest(json.loads(path.read_text("utf-8")))
        assert read_workspace(path).digest == expected
