"""From a request to a likelihood: read, patch, replace data, compile."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from darkstats.errors import DocumentError, OptionError
from darkstats.report.provenance import Inputs
from darkstats.report.sidecar import read_sidecar
from darkstats.workflows.likelihoods import Likelihood
from darkstats.workflows.outcome import announce_compiling
from darkstats.workflows.unbinned_inputs import holds_hs3, load_unbinned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkstats.inference.p_values import ToyOptions
    from darkstats.model import HistFactoryModel, Model
    from darkstats.workflows.outcome import Shell
    from darkstats.workflows.requests import ModelRequest, ToyRequest, WorkspaceRequest
    from darkstats.workspace import Finding, Workspace

__all__ = [
    "likelihood_of",
    "load",
    "read",
    "toy_options",
    "workspace_inputs",
]

DEFAULT_TOYS = 10_000
_SMALL_MODEL = 2000  # bins times parameters


#: Errors that keep nobody from reading a document, nor from renaming and pruning what is in it.
_FOR_DOCUMENTS = ("poi-unknown", "poi-no-effect", "component-name", "lookalike-names")


#: Errors that keep nobody from fitting a background, nor from choosing another parameter.
_WITHOUT_POI = ("poi-unknown", "poi-no-effect")


def read(
    request: WorkspaceRequest,
    *,
    as_document: bool = False,
    needs_poi: bool = True,
    measurement: str | None = None,
) -> Workspace:
    """Read and patch the workspace of a request; ``measurement`` is the analysis of HS3.

    ``as_document``, or not ``needs_poi``: the parameter of interest need not be there, as in a
    background-only workspace.
    """
    from darkstats.workspace import read_workspace

    if request.source == "-" and sys.stdin is not None and sys.stdin.isatty():
        raise OptionError("give a WORKSPACE: a file name, or pipe one into standard input")
    return read_workspace(
        request.source,
        patches=request.patches,
        patchset=request.patchset,
        point=request.point,
        accept=_FOR_DOCUMENTS if as_document else () if needs_poi else _WITHOUT_POI,
        analysis=measurement,
    )


def all_findings(workspace: Workspace) -> tuple[Finding, ...]:
    """Every finding of the linter, also those that it would count and not list."""
    from darkstats.workspace import lint

    return lint(workspace.document, accept=_FOR_DOCUMENTS, every=True)


def workspace_inputs(
    workspace: Workspace, shell: Shell, *, simulated: bool | None = None
) -> Inputs:
    """Provenance of a result that needs no model."""
    return Inputs(
        source=workspace.source,
        workspace_sha256=workspace.digest,
        canonical_sha256=workspace.canonical_digest,
        simulated=simulated,
        command=shell.command,
    )


def load(request: ModelRequest, shell: Shell, *, needs_poi: bool = True) -> Likelihood:
    """Read, patch and compile the likelihood of a request.

    Where not ``needs_poi`` and the signal of the parameter of interest is not there, as in a
    background-only workspace, the model has none.

    Raises
    ------
    InputError
        A file, a patch, a name or an option cannot be used.
    """
    if holds_hs3(request.workspace.source):
        return load_unbinned(request, shell)
    if request.engine == "zfit":
        raise OptionError("--engine zfit is for unbinned models, not for HistFactory workspaces")
    needs_poi = needs_poi and request.poi is None
    workspace = read(request.workspace, needs_poi=needs_poi, measurement=request.measurement)
    if request.data is not None:
        workspace = _with_data(workspace, request.data, needs_poi=needs_poi)
    return likelihood_of(workspace, request, shell)


def likelihood_of(workspace: Workspace, request: ModelRequest, shell: Shell) -> Likelihood:
    """Compile the likelihood of a workspace that has been read.

    Raises
    ------
    InputError
        A name or an option cannot be used.
    """
    from darkstats.fit import FitOptions
    from darkstats.fit.warming import ensure_compiled, kernels_are_compiled
    from darkstats.model import InterpolationCodes, compile_workspace

    sidecar = read_sidecar(request.workspace.file)
    if workspace.own_signal is not None:
        sidecar = sidecar.of_signal(workspace.own_signal)

    codes = InterpolationCodes()
    if request.interpolation is not None:
        codes = InterpolationCodes.parse(request.interpolation)
    model = compile_workspace(
        workspace,
        request.measurement,
        poi=_poi(workspace, request),
        interpolation=codes,
        masked=request.masked,
    )
    sidecar.require_edges(dict(model.bins_by_channel))
    if not kernels_are_compiled():
        announce_compiling(shell)
        ensure_compiled()
    if request.blind:
        from darkstats.inference.asimov import blinded_observation

        observation = blinded_observation(model)
    else:
        observation = model.observation
    simulated = sidecar.simulated if request.simulated is None else request.simulated
    blind = bool(request.blind)
    return Likelihood(
        model=model,
        binned=(workspace, model),
        observation=observation,
        sidecar=sidecar,
        threads=request.threads,
        options=FitOptions(threads=request.threads or _threads(model)),
        blind=blind,
        notes=(*_other_strengths(workspace, model), *_of_data(workspace, blind=blind)),
        inputs=Inputs(
            source=workspace.source,
            workspace_sha256=workspace.digest,
            canonical_sha256=workspace.canonical_digest,
            measurement=model.measurement,
            model_sha256=model.digest,
            poi=model.poi_name,
            interpolation=(
                ("histosys", model.interpolation.histosys),
                ("normsys", model.interpolation.normsys),
            ),
            masked=tuple(channel.name for channel in model.channels if channel.masked),
            data=request.data,
            blind=blind,
            simulated=simulated,
            command=shell.command,
            title=sidecar.title,
        ),
    )


def _poi(workspace: Workspace, request: ModelRequest) -> str | None:
    """The parameter of interest that is asked for; none where that of the measurement is absent."""
    if request.poi is not None:
        return request.poi
    names = workspace.measurement_names
    chosen = names.index(request.measurement) if request.measurement in names else 0
    place = f"/measurements/{chosen}/config/poi"
    absent = any(w.code in _WITHOUT_POI and w.pointer == place for w in workspace.warnings)
    return "" if absent else None


def _of_data(workspace: Workspace, *, blind: bool) -> tuple[str, ...]:
    """What a reader has to know of the observed counts, where they are looked at."""
    from darkstats.workspace.counts import fractional_counts

    said = None if blind else fractional_counts(workspace.document)
    return () if said is None else (said,)


def _other_strengths(workspace: Workspace, model: HistFactoryModel) -> tuple[str, ...]:
    """Note that the document's own parameter of interest is free where another one was chosen.

    Its signal is then a background of any size, and the limit one in its presence.
    """
    chosen = next(m for m in workspace.document["measurements"] if m["name"] == model.measurement)
    own = chosen["config"]["poi"]
    if not own or own == model.poi_name or model.poi_name is None:
        return ()
    found = next((one for one in model.parameters if one.name == own), None)
    if found is None or found.fixed:
        return ()
    return (
        f"{own}, the parameter of interest of measurement {model.measurement!r}, floats freely "
        f"here: {model.poi_name} was chosen in its place",
    )


def _threads(model: HistFactoryModel) -> int | None:
    """Threads for fits that are no toys: a small model is fitted before threads have started."""
    return 1 if model.n_bins * model.n_parameters < _SMALL_MODEL else None


def _with_data(workspace: Workspace, source: str, *, needs_poi: bool) -> Workspace:
    """Replace the observed counts.

    The file holds ``{"channel": [counts]}``, or a list of observations, or a document with
    ``observations``, such as another workspace. Every channel has to be there.
    """
    import json
    from pathlib import Path

    from darkstats.workspace import Workspace, parse_json

    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    found: Any = parse_json(raw, source=source)
    if isinstance(found, dict):
        found = found.get("observations", found)
    if isinstance(found, dict):
        found = [{"name": name, "data": counts} for name, counts in found.items()]
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and set(item) == {"name", "data"} for item in found
    ):
        raise DocumentError(
            "holds no observed counts",
            source=source,
            remedy='write {"channel": [counts, ...], ...}, or a list of observations',
        )
    by_name = {json.dumps(item["name"]): item for item in found}
    ordered = []
    for name in workspace.channel_names:
        item = by_name.pop(json.dumps(name), None)
        if item is None:
            raise DocumentError(
                f"no counts for channel {name!r}",
                source=source,
                remedy=f"give counts for all of: {', '.join(workspace.channel_names)}",
            )
        ordered.append(item)
    if by_name:
        raise DocumentError(
            f"counts for unknown channels: {', '.join(by_name)}",
            source=source,
            remedy=f"the workspace has {', '.join(workspace.channel_names)}",
        )
    document = {**workspace.document, "observations": ordered}
    patched: Workspace = Workspace.from_document(
        document,
        f"{workspace.source} with data of {source}",
        accept=() if needs_poi else _WITHOUT_POI,
    )
    return replace(patched, own_signal=workspace.own_signal)


def toy_options(
    request: ToyRequest,
    model: Model,
    kind: str,
    asked: Mapping[str, object] | None = None,
) -> tuple[ToyOptions, int]:
    """Toys to throw, and how many of them an earlier result already had.

    An earlier result keeps its seed; its toys are the first of the new ones, because a toy is
    defined by its index and not by the run that throws it. The two have to agree in ``asked``.
    """
    from darkstats.inference.p_values import ToyOptions

    wanted = request.n_toys or DEFAULT_TOYS
    if request.add_to is None:
        return ToyOptions(n_toys=wanted, seed=request.seed or 0), 0
    earlier, seed = _earlier_toys(request, model, kind, asked or {})
    return ToyOptions(n_toys=earlier + wanted, seed=seed), earlier


def _earlier_toys(
    request: ToyRequest, model: Model, kind: str, asked: Mapping[str, object]
) -> tuple[int, int]:
    from pathlib import Path

    from darkstats.report.records import SCHEMAS
    from darkstats.workspace import parse_json

    source = request.add_to or ""
    try:
        raw = Path(source).read_bytes()
    except OSError as error:
        raise DocumentError(f"cannot be read: {error.strerror}", source=source) from error
    record: Any = parse_json(raw, source=source)
    if not isinstance(record, dict) or record.get("schema") != SCHEMAS[kind]:
        raise DocumentError(
            f"is no {kind} record", source=source, remedy=f"give a file made by {kind} -o"
        )
    toys = record.get("toys_per_hypothesis")
    if not isinstance(toys, int) or not isinstance(record.get("seed"), int):
        raise DocumentError("has no toys", source=source, remedy="start with --calculator toys")
    for key, value in asked.items():
        if record.get(key) != value:
            raise OptionError(
                f"{source} has {key} {record.get(key)!r}, not {value!r}: toys of different tests "
                "are not added"
            )
    digest = record.get("provenance", {}).get("model", {}).get("sha256")
    if digest != model.digest:
        raise OptionError(
            f"{source} was made from another model (sha256 {str(digest)[:16]}…, here "
            f"{model.digest[:16]}…): toys of different models are not added"
        )
    if request.seed not in {None, record["seed"]}:
        raise OptionError(
            f"{source} has seed {record['seed']}, not {request.seed}: toys of different seeds are "
            "not added; drop --seed"
        )
    return toys, int(record["seed"])
