"""HistFactory's XML and ROOT files as a workspace, read by pyhf and checked against the XML.

pyhf reads histograms and modifiers. It passes over some of what the XML says: types of constraints,
thresholds, ranges of bins. Here these are carried, refused or listed, so that none is lost unseen.
The meaning of the elements is that of CERN-OPEN-2012-016 and of ROOT's HistFactory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darkstats.conversion.converted import Conversion, Difference
from darkstats.conversion.datacard import Place
from darkstats.conversion.xml_elements import Element, read_elements
from darkstats.errors import CardError, DocumentError, MissingExtraError, in_words
from darkstats.searches.histogram_files import root_names
from darkstats.workspace import Workspace

__all__ = ["convert_xml"]

_THRESHOLD = 0.05  # ROOT's, where there is no StatErrorConfig
_MODIFIERS = {
    "OverallSys": ("Name", "Low", "High"),
    "NormFactor": ("Name", "Val", "Low", "High"),
    "HistoSys": ("Name", "HistoNameLow", "HistoNameHigh"),
    "ShapeSys": ("Name", "HistoName"),
    "ShapeFactor": ("Name",),
    "StatError": ("Activate",),
}
_NUMBERS = {"OverallSys": ("Low", "High"), "NormFactor": ("Val", "Low", "High")}


@dataclass(slots=True)
class _Reading:
    """What the XML says that pyhf passes over."""

    channels: list[Element] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert_xml(path: Path, *, base: Path | None = None) -> Conversion:
    """Return the workspace of a combination in HistFactory's XML.

    Parameters
    ----------
    path
        File of the combination.
    base
        Folder that paths in the XML start from; None for the folder of the file, or the one above,
        whichever has the files of the channels.

    Raises
    ------
    CardError
        A file cannot be read, or says what cannot be stated in a workspace: with file and line.
    MissingExtraError
        uproot is not installed.
    WorkspaceError
        The linter refuses the workspace.
    """
    combination = read_elements(path, "Combination")
    base = _base(path, combination) if base is None else base
    reading = _Reading()
    for element in combination.children:
        if element.tag not in {"Input", "Measurement"}:
            _refuse_tag(element)
    for measurement in combination.all("Measurement"):
        _check_measurement(measurement)
    for element in combination.all("Input"):
        channel = read_elements(base / element.text.strip(), "Channel")
        _check_channel(channel, reading)
        _check_histograms(channel, base)
        reading.channels.append(channel)
    document = _read_by_pyhf(path, base)
    _check_bins(combination, document)
    for channel in reading.channels:
        _carry_constraints(channel, document, reading)
    workspace = Workspace.from_document(document, str(path))
    sidecar = {
        "schema": "darkstats.meta/1",
        "channels": {name: {"label": name} for name in workspace.channel_names},
        "conversion": {"source": str(path), "format": "HistFactory XML and ROOT"},
    }
    return Conversion(
        workspace=workspace,
        sidecar=sidecar,
        format="histfactory-xml",
        differences=tuple(reading.differences),
        interpolation=None,
        notes=tuple(reading.notes),
    )


def _base(path: Path, combination: Element) -> Path:
    inputs = [element.text.strip() for element in combination.all("Input")]
    if not inputs or not all(inputs):
        combination.place.refuse("names no channel", "add <Input>channel.xml</Input>")
    folders = (path.parent, path.parent.parent)
    found = [one for one in folders if all((one / name).is_file() for name in inputs)]
    if not found:
        next(combination.all("Input")).place.refuse(
            f"{inputs[0]} is neither in {folders[0]} nor in {folders[1]}",
            "say --base DIR: the folder in which HistFactory was run",
        )
    return found[0]


def _refuse_tag(element: Element) -> None:
    element.place.refuse(
        f"<{element.tag}> cannot be stated in a workspace", "remove it, and what rests on it"
    )


# ------------------------------------------------------------------------------------ before pyhf


def _check_measurement(measurement: Element) -> None:
    for name in ("Lumi", "LumiRelErr"):
        measurement.number(name)
    measurement.get("Name")
    for element in measurement.children:
        if element.tag == "ConstraintTerm":
            element.place.refuse(
                f"a constraint of type {element.attributes.get('Type', '?')} in the place of a "
                "Gaussian one cannot be stated in a workspace",
                "Gamma: write a ShapeSys; LogNormal: an OverallSys of the same two factors; "
                "Uniform or NoConstraint: a NormFactor",
            )
        if element.tag not in {"POI", "ParamSetting"}:
            _refuse_tag(element)
    names = [word for element in measurement.all("POI") for word in element.text.split()]
    if len(names) != 1:
        measurement.place.refuse(
            f"names {len(names)} parameters of interest", "write one <POI>; --poi chooses another"
        )


def _check_channel(channel: Element, reading: _Reading) -> None:
    channel.get("Name")
    data = list(channel.all("Data"))
    if len(data) != 1 or not data[0].attributes.get("HistoName"):
        channel.place.refuse(
            f"the channel {channel.get('Name')} has no data, or several",
            'write one <Data HistoName="..."/>',
        )
    for element in channel.children:
        if element.tag not in {"Data", "Sample", "StatErrorConfig"}:
            _refuse_tag(element)
    silent = []
    for sample in channel.all("Sample"):
        for name in ("Name", "HistoName"):
            sample.get(name)
        sample.is_true("NormalizeByTheory")
        if "NormalizeByTheory" not in sample.attributes:
            silent.append(sample.get("Name"))
        for element in sample.children:
            _check_modifier(element)
    if silent:
        reading.notes.append(
            f"{channel.place}: {', '.join(silent)} say nothing of NormalizeByTheory: their yields "
            "have no error of the luminosity"
        )


_OF_SAMPLE = ("HistoName", "InputFile", "HistoPath")
_OF_ERRORS = ("HistoName", "HistoFile", "HistoPath")


def _check_histograms(channel: Element, base: Path) -> None:
    """See that pyhf, which looks for bare names first, takes the histograms that are meant."""
    for element in (*channel.all("Data"), *channel.all("Sample")):
        _check_histogram(element, _OF_SAMPLE, (channel,), base)
    for sample in channel.all("Sample"):
        above = (sample, channel)
        for element in sample.children:
            if element.tag == "HistoSys":
                for side in ("Low", "High"):
                    keys = tuple(f"{key}{side}" for key in _OF_ERRORS)
                    _check_histogram(element, keys, above, base)
            elif element.tag == "ShapeSys":
                _check_histogram(element, _OF_SAMPLE, above, base)
            elif element.tag == "StatError" and element.attributes.get("HistoName"):
                _check_histogram(element, _OF_ERRORS, above, base)


def _check_histogram(
    element: Element, keys: tuple[str, ...], above: tuple[Element, ...], base: Path
) -> None:
    """Check one histogram; ``keys`` are the attributes with its name, file and folder."""
    name, file, folder = keys
    histogram = element.get(name)
    files = [one.attributes.get("InputFile", "") for one in above]
    source = element.attributes.get(file) or next((one for one in files if one), "")
    if not source:
        element.place.refuse(f"no file is named for {histogram}", f'write {file}="..."')
    stated = element.attributes.get(folder)
    inherited = next(
        (one.attributes["HistoPath"] for one in above if one.attributes.get("HistoPath")), ""
    )
    if stated is None and inherited and element.tag not in {"Data", "Sample"}:
        element.place.refuse(
            f"{histogram} has no {folder}, and {inherited} stands above it",
            f'write {folder}="...": readers differ in whether it is inherited',
        )
    path = (inherited if stated is None else stated).strip("/")
    wanted = f"{path}/{histogram}" if path else histogram
    try:
        names = root_names(base / source)
    except DocumentError as error:
        element.place.refuse(str(error), "correct the name of the file")
    if wanted not in names:
        element.place.refuse(f"{wanted} is not in {base / source}", "correct its name or its path")
    if path and histogram in names:
        element.place.refuse(
            f"{base / source} holds {histogram} and {wanted}; pyhf takes the first", "rename it"
        )


def _check_modifier(element: Element) -> None:
    if element.tag not in _MODIFIERS:
        _refuse_tag(element)
    for name in _MODIFIERS[element.tag]:
        element.get(name)
    for name in _NUMBERS.get(element.tag, ()):
        element.number(name)
    if element.tag == "StatError":
        element.is_true("Activate")
    kind = element.attributes.get("ConstraintType", "Poisson")
    if kind not in {"Poisson", "Gaussian", "Gauss"}:
        element.place.refuse(f"the constraint {kind!r} is unknown", "write Gaussian or Poisson")


def _read_by_pyhf(path: Path, base: Path) -> dict[str, Any]:
    try:
        import uproot  # noqa: F401 -- pyhf reads ROOT files with it
        from pyhf import readxml
    except ImportError:
        raise MissingExtraError("uproot", "templates") from None
    readxml.clear_filecache()
    try:
        found: dict[str, Any] = readxml.parse(path, base)
    except Exception as error:  # pyhf and uproot have many of their own
        words = in_words(error).strip("\"'") or type(error).__name__
        raise CardError(f"cannot be read: {words}", source=str(path)) from error
    finally:
        readxml.clear_filecache()
    return found


# ------------------------------------------------------------------------------------- after pyhf


def _check_bins(combination: Element, document: dict[str, Any]) -> None:
    most = max(len(one["data"]) for one in document["observations"])
    for measurement in combination.all("Measurement"):
        if not {"BinLow", "BinHigh"} & measurement.attributes.keys():
            continue
        low = measurement.number("BinLow") if "BinLow" in measurement.attributes else 0.0
        high = measurement.number("BinHigh") if "BinHigh" in measurement.attributes else most
        if low > 0.0 or high < most:
            measurement.place.refuse(
                f"BinLow {low:g} and BinHigh {high:g} leave out some of {most} bins",
                "cut the histograms, and leave both out",
            )


def _carry_constraints(channel: Element, document: dict[str, Any], reading: _Reading) -> None:
    name = channel.get("Name")
    samples = next(one for one in document["channels"] if one["name"] == name)["samples"]
    for element, sample in zip(channel.all("Sample"), samples, strict=True):
        for part in element.all("ShapeSys"):
            _carry_shapesys(part, sample, reading)
    carriers = [
        (sample["data"], modifier) for sample, modifier in _modifiers(samples, "staterror", name)
    ]
    if not carriers:
        return
    config = next(channel.all("StatErrorConfig"), None)
    errors = _relative(carriers)
    threshold = _THRESHOLD
    if config is not None and "RelErrorThreshold" in config.attributes:
        threshold = config.number("RelErrorThreshold")
    small = [i for i, error in enumerate(errors) if 0.0 < error < threshold]
    if config is not None and small:
        for _, modifier in carriers:
            modifier["data"] = [0.0 if i in small else v for i, v in enumerate(modifier["data"])]
        reading.notes.append(
            f"{config.place}: errors of simulation below {threshold:g} are left out, as in "
            f"HistFactory: {len(small)} bin(s) of {name}"
        )
    elif small:
        reading.differences.append(
            Difference(
                what=f"without StatErrorConfig HistFactory leaves out errors below {_THRESHOLD:g}; "
                f"{len(small)} bin(s) of {name} keep theirs here",
                parameter=f"staterror_{name}", place=str(channel.place),
                size=max(errors[i] for i in small), size_default=max(errors[i] for i in small),
            )
        )  # fmt: skip
    if config is not None and config.attributes.get("ConstraintType", "Poisson") == "Poisson":
        kept = [error for i, error in enumerate(errors) if error > 0.0 and i not in small]
        if len(carriers) == 1:
            carriers[0][1]["type"] = "shapesys"
        elif kept:
            reading.differences.append(
                _constraint(
                    config.place, f"staterror_{name}", kept,
                    "the Poisson constraint on an error that samples share is a Gaussian here",
                )
            )  # fmt: skip


def _carry_shapesys(part: Element, sample: dict[str, Any], reading: _Reading) -> None:
    """Write Gaussian constraints as a staterror of the sample alone: the same likelihood."""
    name = part.get("Name")
    modifier = next(
        one for one in sample["modifiers"] if (one["type"], one["name"]) == ("shapesys", name)
    )
    kind = part.attributes.get("ConstraintType")
    if kind is None:
        errors = _relative([(sample["data"], modifier)])
        reading.differences.append(
            _constraint(
                part.place, name, [error for error in errors if error > 0.0],
                "ShapeSys without ConstraintType is Gaussian in ROOT, and Poisson here as in pyhf; "
                "write the type",
            )
        )  # fmt: skip
    elif kind != "Poisson":
        modifier["type"] = "staterror"


def _modifiers(
    samples: Sequence[dict[str, Any]], kind: str, channel: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for sample in samples:
        for modifier in sample["modifiers"]:
            if (modifier["type"], modifier["name"]) == (kind, f"staterror_{channel}"):
                yield sample, modifier


def _relative(carriers: Sequence[tuple[list[float], dict[str, Any]]]) -> list[float]:
    """Relative error of the sum of what carries a parameter; zero where there is nothing."""
    found = []
    for i in range(len(carriers[0][0])):
        total = sum(data[i] for data, _ in carriers)
        square = sum(modifier["data"][i] ** 2 for _, modifier in carriers)
        found.append(math.sqrt(square) / total if total > 0.0 else 0.0)
    return found


def _constraint(place: Place, name: str, errors: Sequence[float], what: str) -> Difference:
    size = max((abs(_poisson_edge(error) - 1.0 - error) for error in errors), default=0.0)
    return Difference(
        what=what, parameter=name, place=str(place), size=size, size_default=size
    )  # fmt: skip


def _poisson_edge(error: float) -> float:
    """Upper end of the 68 % interval of a factor that a Poisson term of 1/error^2 constrains."""
    edge, wanted = 1.0 + error, error * error
    for _ in range(50):  # Newton's method on 2 (x - 1 - log x) = error^2, which is convex
        edge -= (2.0 * (edge - 1.0 - math.log(edge)) - wanted) / (2.0 - 2.0 / edge)
    return edge
