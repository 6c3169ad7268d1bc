"""HistFactory XML to workspaces: as pyhf reads it, with what pyhf passes over."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darkstats
from darkstats.conversion.converted import Conversion
from darkstats.conversion.histfactory_xml import convert_xml
from darkstats.errors import CardError
from darkstats.model import compile_workspace

pyhf = pytest.importorskip("pyhf")

# The layout of the example that ships with ROOT and pyhf (validation/xmlimport_input4).
TOP = """<!DOCTYPE Combination SYSTEM 'HistFactorySchema.dtd'>
<Combination OutputFilePrefix="./results/example">
  <Input>./config/channel.xml</Input>
  <Measurement Name="Gauss" Lumi="1." LumiRelErr="0.1">
    <POI>SigXsecOverSM</POI>
    <ParamSetting Const="True">Lumi alpha_syst1</ParamSetting>
  </Measurement>
</Combination>
"""
CHANNEL = """<!DOCTYPE Channel SYSTEM 'HistFactorySchema.dtd'>
<Channel Name="channel1" InputFile="./data/example.root">
  <Data HistoName="data" HistoPath=""/>
  <StatErrorConfig RelErrorThreshold="0.05" ConstraintType="Gaussian"/>
  <Sample Name="signal" HistoPath="" HistoName="signal">
    <OverallSys Name="syst1" High="1.05" Low="0.95"/>
    <NormFactor Name="SigXsecOverSM" Val="1" Low="0." High="8."/>
  </Sample>
  <Sample Name="background1" HistoPath="" NormalizeByTheory="True" HistoName="background1">
    <StatError Activate="True"/>
    <OverallSys Name="syst2" Low="0.95" High="1.05"/>
  </Sample>
  <Sample Name="background2" HistoPath="" NormalizeByTheory="True" HistoName="background2">
    <StatError Activate="True"/>
    <HistoSys Name="syst3" HistoNameLow="low" HistoNameHigh="high"/>
  </Sample>
</Channel>
"""
SHAPESYS = '<ShapeSys Name="own" HistoName="relative"{}/>'
Make = Callable[..., Conversion]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Convert XML after its files were written; ``(old, new)`` pairs change the channel."""
    uproot, hist = pytest.importorskip("uproot"), pytest.importorskip("hist")
    histograms = {
        "data": ([122.0, 112.0], 0.0), "signal": ([20.0, 10.0], 0.0),
        "background1": ([100.0, 20.0], 0.02), "background2": ([5.0, 80.0], 0.2),
        "same": ([1.0, 1.0], 0.0), "folder/same": ([2.0, 2.0], 0.0),
        "folder/deep": ([20.0, 10.0], 0.0),
        "low": ([4.0, 78.0], 0.0), "high": ([6.0, 84.0], 0.0), "relative": ([0.1, 0.3], 0.0),
    }  # fmt: skip

    def made(*changes: tuple[str, str], top: str = TOP, **options: Any) -> Conversion:
        for folder in ("config", "data"):
            (tmp_path / folder).mkdir(exist_ok=True)
        with uproot.recreate(tmp_path / "data/example.root") as file:
            for name, (values, error) in histograms.items():
                one = hist.Hist(hist.axis.Regular(2, 0, 2), storage=hist.storage.Weight())
                one.values()[...] = values
                one.variances()[...] = np.square(np.array(values) * error)
                file[name] = one
        text = CHANNEL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "config/channel.xml").write_text(text)
        (tmp_path / "config/top.xml").write_text(top)
        return convert_xml(tmp_path / "config/top.xml", **options)

    return made


def modifiers(found: Conversion, sample: str) -> dict[str, dict[str, Any]]:
    samples = found.workspace.document["channels"][0]["samples"]
    (one,) = [one for one in samples if one["name"] == sample]
    return {f"{m['name']} {m['type']}": m for m in one["modifiers"]}


def test_limit_is_that_of_pyhf(make: Make, tmp_path: Path) -> None:
    """The workspace and pyhf's own reading give one limit; bins below the threshold apart."""
    found = make(("0.05", "0.0"))
    assert found.format == "histfactory-xml"
    from pyhf import readxml

    readxml.clear_filecache()
    theirs = readxml.parse(tmp_path / "config/top.xml", tmp_path)
    assert json.loads(json.dumps(theirs)) == found.workspace.document
    model = compile_workspace(found.workspace)
    limit = darkstats.upper_limit(model, model.observation, cl=0.95)
    workspace = pyhf.Workspace(found.workspace.document)
    their_model = workspace.model()
    observed, _ = pyhf.infer.intervals.upper_limits.upper_limit(
        workspace.data(their_model), their_model, np.linspace(0.0, 8.0, 81), level=0.05
    )
    assert limit.observed == pytest.approx(float(observed), rel=2e-3)


def test_errors_below_the_threshold_are_left_out(make: Make) -> None:
    """RelErrorThreshold: bins whose joint relative error is smaller have no parameter."""
    found = make()
    first = modifiers(found, "background1")["staterror_channel1 staterror"]["data"]
    second = modifiers(found, "background2")["staterror_channel1 staterror"]["data"]
    assert first == [0.0, pytest.approx(0.4)]
    assert second == [0.0, pytest.approx(16.0)]
    assert any("below 0.05 are left out" in note for note in found.notes)
    model = compile_workspace(found.workspace)
    relative = math.hypot(2.0, 1.0) / 105.0
    assert relative < 0.05
    assert sum(name.startswith("staterror") for name in model.parameter_names) == 2


@pytest.mark.parametrize(("threshold", "kept"), [("0.021", 2.0), ("0.022", 0.0)])
def test_the_threshold_is_that_of_the_xml(threshold: str, kept: float, make: Make) -> None:
    """The joint relative error of the first bin is 0.0213: it stays below, and goes above it."""
    found = make(('Threshold="0.05"', f'Threshold="{threshold}"'))
    data = modifiers(found, "background1")["staterror_channel1 staterror"]["data"]
    assert data[0] == pytest.approx(kept)


def test_a_threshold_that_nobody_stated(make: Make) -> None:
    """Without StatErrorConfig the errors stay, and what ROOT would do is told with its size."""
    config = '  <StatErrorConfig RelErrorThreshold="0.05" ConstraintType="Gaussian"/>\n'
    (told,) = make((config, "")).differences
    assert told.size == pytest.approx(math.hypot(2.0, 1.0) / 105.0)


@pytest.mark.parametrize("written", [' ConstraintType="Poisson"', ""])
def test_poisson_constraints(written: str, make: Make) -> None:
    """On one sample a Poisson constraint is a shapesys; on several it is told with its size.

    A StatErrorConfig without a type is Poisson in ROOT.
    """
    found = make((' ConstraintType="Gaussian"', written))
    (told,) = found.differences
    error = math.hypot(0.4, 16.0) / 100.0
    edge = 1.0 + error + told.size
    assert 2.0 * (edge - 1.0 - math.log(edge)) == pytest.approx(error**2, rel=1e-9)
    one = make(
        (' ConstraintType="Gaussian"', written),
        ('<StatError Activate="True"/>\n    <Over', "<Over"),
    )
    assert "staterror_channel1 shapesys" in modifiers(one, "background2")


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [(' ConstraintType="Gaussian"', "staterror"), (' ConstraintType="Poisson"', "shapesys"),
     ("", "shapesys")],
)  # fmt: skip
def test_shapesys_constraints(attribute: str, kind: str, make: Make) -> None:
    """A Gaussian ShapeSys is a staterror of its own; one without a type is told."""
    place = '<OverallSys Name="syst2"'
    found = make((place, SHAPESYS.format(attribute) + place))
    assert modifiers(found, "background1")[f"own {kind}"]["data"] == pytest.approx([10.0, 6.0])
    assert any(one.parameter == "own" for one in found.differences) == (attribute == "")


REFUSED = {
    "modifier": ((('<NormFactor Name="Sig', '<Unknown Name="Sig'),), TOP, r"line 7: <Unknown>"),
    "attribute": ((('Val="1" ', ""),), TOP, r"line 7: <NormFactor> has no Val"),
    "number": ((('Val="1"', 'Val="one"'),), TOP, r"line 7: 'one' is no number"),
    "boolean": ((('ByTheory="True"', 'ByTheory="true"'),), TOP, r"line 9: .*'true'; write True"),
    "activate": ((('Activate="True"', 'Activate="yes"'),), TOP, r"line 10: Activate"),
    "data": ((('  <Data HistoName="data" HistoPath=""/>\n', ""),), TOP, r"has no data"),
    "histogram": ((('HistoName="signal"', 'HistoName="sig"'),), TOP, r"line 5: sig is not in"),
    "twice": (
        (('HistoPath="" HistoName="signal"', 'HistoPath="/folder/" HistoName="same"'),),
        TOP,
        r"line 5: .*holds same and folder/same; pyhf takes the first",
    ),
    "inherited": (
        (
            ('HistoPath="" NormalizeByTheory="True" HistoName="background2"',
             'HistoPath="folder" NormalizeByTheory="True" HistoName="deep"'),
        ),
        TOP,
        r"line 15: low has no HistoPathLow, and folder stands above",
    ),
    "no file": ((('InputFile="./data/example.root"', ""),), TOP, r"line 3: no file is named"),
    "file": ((("example.root", "other.root"),), TOP, r"line 3: .*other\.root: cannot be read"),
    "syntax": ((("</Channel>", ""),), TOP, r"channel\.xml, line 18: no XML"),
    "root": ((("<Channel ", "<Chanel "), ("</Channel>", "</Chanel>")), TOP, r"not with <Channel>"),
    "constraint": (
        (),
        TOP.replace("</POI>", '</POI><ConstraintTerm Type="Uniform" RelativeUncertainty="1">x'
                    "</ConstraintTerm>"),
        r"line 5: a constraint of type Uniform",
    ),
    "function": ((), TOP.replace("  <Input>", "  <Function/>\n  <Input>"), r"line 3: <Function>"),
    "pois": ((), TOP.replace("OverSM<", "OverSM other<"), r"line 4: names 2 parameters"),
    "bins": ((), TOP.replace("Lumi=", 'BinLow="0" BinHigh="1" Lumi='), r"leave out some of 2"),
    "gamma": ((), TOP.replace("alpha_syst1", "gamma_stat_channel1_bin_0"), r"gamma"),
    "input": ((), TOP.replace("channel.xml", "other.xml"), r"line 3: .*other\.xml is neither"),
    "entity": (
        (),
        TOP.replace("'HistFactorySchema.dtd'", "'H.dtd' [<!ENTITY a 'b'>]"),
        r"declares an entity",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_xml_that_is_refused(name: str, make: Make) -> None:
    """What pyhf would pass over, or end in a traceback, is refused with file and line."""
    changes, top, words = REFUSED[name]
    with pytest.raises(CardError, match=words):
        make(*changes, top=top)


def test_histograms_in_folders(make: Make) -> None:
    """A histogram of a folder is found by its path."""
    found = make(('HistoPath="" HistoName="signal"', 'HistoPath="/folder" HistoName="deep"'))
    assert found.workspace.document["channels"][0]["samples"][0]["data"] == [20.0, 10.0]


def test_base(make: Make, tmp_path: Path) -> None:
    """Paths start from --base where it is given."""
    make()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "top.xml").write_text(TOP)
    found = convert_xml(moved / "top.xml", base=tmp_path)
    assert found.workspace.channel_names == ("channel1",)
