"""Recasts from the command line and from Python: scans, curves, published limits."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml

import scan_records
from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import DocumentError, OptionError
from darkstats.signals.benchmarks import BENCHMARKS
from darkstats.workflows.submission_requests import SubmissionRequest
from darkstats.workspace import read_patchset
from hepdata_rules import DATA, TABLE

CURVES = Path(os.environ.get("DARKSTATS_DATA", Path(__file__).parents[3] / "shared" / "data"))
CURVES = CURVES / "curves"
CURVE = "# a curve\nmass_GeV,epsilon_UL90\n0.02,1e-3\n0.5,8e-4\n1,7e-4\n3.1,7e-4\n8,1e-3\n"


def curve(tmp_path: Path, text: str = CURVE, name: str = "curve.csv") -> str:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return str(path)


def asked(limit: str, **more: Any) -> w.RecastRequest:
    chosen = {"to": "b_minus_l", "source": "dark_photon", "production": "electron",
              "final_state": "ee"} | more  # fmt: skip
    return w.RecastRequest(limit=limit, **chosen)


def published(name: str) -> str:
    path = CURVES / name
    if not path.is_file():
        pytest.skip(f"no {path}")
    return str(path)


def test_command_and_workflow_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One record, whoever asks; table, figure and CSV come with it."""
    file = curve(tmp_path)
    words = ["recast", file, "--from", "dark_photon", "--to", "b_minus_l", "--production",
             "electron", "--final-state", "ee"]  # fmt: skip
    table, figure = str(tmp_path / "intervals.csv"), str(tmp_path / "figure.png")
    assert run([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    record = json.loads(json.dumps(w.recast(asked(file)).record()))
    for one in (printed, record):
        for key in ("command", "command_reason"):
            one["provenance"].pop(key, None)
    assert printed == record
    assert run([*words, "--intervals", table, "--plot", figure]) == 0
    sheet = capsys.readouterr().out
    assert "J/psi" in sheet
    assert "90 % CL" in sheet
    rows = [line for line in Path(table).read_text().splitlines() if not line.startswith("#")]
    assert rows[0].startswith("curve,mass_gev,given,status")
    assert len(rows) == 6
    assert Path(figure).stat().st_size > 10_000


def test_a_curve_keeps_its_level(tmp_path: Path) -> None:
    """Its level is that of the file, or of the option where it says none, and never both."""
    assert w.recast(asked(curve(tmp_path))).record()["cl"] == 0.9
    with pytest.raises(OptionError, match="leave --cl out"):
        w.recast(asked(curve(tmp_path), cl=0.95))
    silent = curve(tmp_path, CURVE.replace("_UL90", ""), "silent.csv")
    with pytest.raises(OptionError, match="give it with --cl"):
        w.recast(asked(silent))
    assert w.recast(asked(silent, cl=0.95)).record()["cl"] == 0.95


def test_other_levels_are_not_compared(tmp_path: Path) -> None:
    """A published curve of another level is drawn, and no ratio is made."""
    same = curve(tmp_path, "mass_GeV,epsilon_UL90\n0.01,2e-3\n10,2e-3\n", "same.csv")
    other = curve(tmp_path, "mass_GeV,epsilon_UL95\n0.01,2e-3\n10,2e-3\n", "other.csv")
    record = w.recast(asked(curve(tmp_path), to="dark_photon", compare=(same, other))).record()
    first, second = record["comparisons"]
    assert [row["lower"] for row in first["rows"]] == pytest.approx([1e-3, 8e-4, 7e-4, 1e-3])
    assert first["median_ratio"] == pytest.approx(0.45)
    assert second["rows"] == []
    assert "95 %" in second["reason"]


SEARCHES = {
    "alp_photon": (scan_records.alp, "photon", "gammagamma", 1e-9),
    # the benchmark leaves out decays of the Z' through its mixing with the photon
    "lmu_ltau": (scan_records.zprime, "mumu", "invisible", 1e-3),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_scan_is_recast_to_its_own_benchmark(tmp_path: Path, name: str) -> None:
    """Cross sections of a record give the coupling of the benchmark, observed and expected."""
    made, production, state, tolerance = SEARCHES[name]
    record = made()
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(record), "utf-8")
    found = w.recast(
        w.RecastRequest(limit=str(path), to=name, production=production, final_state=state)
    ).record()
    curves = {one["name"]: one["points"] for one in found["curves"]}
    assert list(curves) == ["observed", "minus2", "minus1", "median", "plus1", "plus2"]
    points = sorted(record["points"], key=lambda point: point["values"][0])
    compared = 0
    for k, point in enumerate(points):
        mass, fb = point["values"][0], point["cross_section_fb"]
        for curve, size in (("observed", fb["observed"]), ("plus2", fb["expected"][4])):
            at = curves[curve][k]
            assert at["mass_gev"] == mass
            expected = BENCHMARKS[name].to_coupling((mass,), 1e-3 * size)
            if expected < 1.0:  # a larger one has no narrow width
                assert at["intervals"][0]["lower"] == pytest.approx(expected, rel=tolerance)
                compared += 1
    assert compared > 30
    assert found["simulated"] is True
    assert found["cl"] == record["cl"]


def test_belle_2_cross_sections_give_the_published_coupling() -> None:
    """arXiv:2007.13071: two digitisations, of cross section and of coupling, agree to 5 %."""
    found = w.recast(
        w.RecastRequest(
            limit=published("BelleII_ALP_3gamma_2020_xsec_ALPaca.csv"), to="alp_photon",
            production="photon", final_state="gammagamma",
            compare=(published("BelleII_ALP_3gamma_2020_gagg_AxionLimits.csv"),),
        )
    ).record()  # fmt: skip
    (one,) = found["comparisons"]
    assert one["reason"] is None
    assert len(one["rows"]) > 300
    assert one["median_ratio"] == pytest.approx(1.0, abs=0.05)


def test_babar_branching_fractions_give_the_published_coupling() -> None:
    """arXiv:2111.01800: g_aW as recast by others, within the 35 % of the conversion."""
    found = w.recast(
        w.RecastRequest(
            limit=published("BaBar_BKa_prompt_2022_BR.csv"), to="alp_w", production="b_to_k",
            final_state="gammagamma",
        )
    ).result.first  # fmt: skip
    lines = Path(published("BaBar_BKa_2022_gaW.csv")).read_text("utf-8").splitlines()
    rows = np.array([line.split(",") for line in lines if line[0] in "0123456789"], dtype=float)
    rows = rows[(rows[:, 1] < 1e-4) & (rows[:, 0] > 0.6)]  # the lower edge of the region
    known = [point for point in found if point.intervals]
    mass = np.array([point.mass_gev for point in known])
    lower = np.array([point.intervals[0].lower for point in known])
    ratios = []
    for at, g in rows:
        near = np.abs(mass - at) < 0.02
        if near.any():
            ratios.append(float(np.exp(np.log(lower[near]).mean())) / g)
    assert len(ratios) > 50
    assert 0.8 < math.exp(float(np.mean(np.log(ratios)))) < 1.4
    assert np.mean(np.abs(np.log(ratios)) < 0.5) > 0.9


def test_belle_2_lifetimes_give_intervals_of_the_mixing() -> None:
    """arXiv:2306.02830: limits against c tau give both ends; the equation holds at each."""
    found = w.recast(
        w.RecastRequest(
            limit=published("BelleII_BKS_mumu_2023.csv"), to="dark_higgs_mixing",
            production="b_to_k", final_state="mumu", mass_range_gev=(0.3, 0.9),
            decays=(("ctau", published("DarkHiggs_ctau_sintheta1.csv")),
                    ("mumu", published("DarkHiggs_BR_mu_mu.csv"))),
        )
    ).result  # fmt: skip
    points = {round(point.mass_gev, 3): point for point in found.first}
    two_sided = [
        point for point in points.values()
        if point.intervals and point.intervals[0].upper and not point.intervals[0].upper_reason
    ]  # fmt: skip
    assert len(two_sided) > 50
    assert all(5e-4 < point.intervals[0].lower < 5e-3 for point in two_sided)
    unknown = [point for point in points.values() if point.status == "refused"]
    assert len(unknown) < 40  # resonances take the branching fraction: nothing within the table
    assert all("beyond the table of lifetimes" in str(point.reason) for point in unknown)


BELLE_2 = {
    "b_to_k": ("BelleII_BKS_mumu_2023.csv", "mumu"),
    "b_to_kstar": ("BelleII_BKstarS_mumu_2023.csv", "mumu"),
    "b_to_k electrons": ("BelleII_BKS_ee_2023.csv", "ee"),
}


@pytest.mark.parametrize("name", BELLE_2)
def test_belle_2_exclusions_are_those_of_a_plain_scan(name: str) -> None:
    """Interpolated by SciPy on a fine grid of sin(theta), the excluded ones are the same.

    A step of the grid is 0.2 %: both ends agree to it, but where a table of lifetimes ends.
    """
    from scipy.interpolate import RegularGridInterpolator

    from darkstats.signals.b_to_k import scalar_branching, scalar_branching_kstar

    file, state = BELLE_2[name]
    production = name.partition(" ")[0]
    files = {"ctau": "DarkHiggs_ctau_sintheta1.csv", "mumu": "DarkHiggs_BR_mu_mu.csv"}
    if state == "ee":
        files = {}  # below two muons it decays to electrons alone, by the formula
    span = (0.3, 2.2) if state == "mumu" else (0.1, 0.205)
    found = w.recast(
        w.RecastRequest(
            limit=published(file), to="dark_higgs_mixing", production=production,
            final_state=state, mass_range_gev=span,
            decays=tuple((key, published(one)) for key, one in files.items()),
        )
    ).result.first  # fmt: skip

    def columns(path: str) -> tuple[np.ndarray, list[str]]:
        lines = [x for x in Path(path).read_text("utf-8").splitlines() if x[0] != "#"]
        rows = np.array([line.split(",") for line in lines[1:]], dtype=float)
        return rows[np.argsort(rows[:, 0], kind="stable")], lines[0].split(",")

    rows, names = columns(published(file))
    ctau_cm = [float(one.partition("ctau_")[2].removesuffix("cm")) for one in names[1:]]
    limit = RegularGridInterpolator((rows[:, 0], np.log(ctau_cm)), np.log(rows[:, 1:]))
    life, share = (columns(published(files[key]))[0] for key in files) if files else (None, None)
    made = scalar_branching if production == "b_to_k" else (
        lambda m: 2.0 / 3.0 * scalar_branching_kstar(m)
    )  # fmt: skip
    theta = np.geomspace(1e-5, 1.0, 6001)
    both = excluded = 0
    for point in found[:: max(1, len(found) // 40)]:
        m = point.mass_gev
        if life is None:
            ratio = (0.51099895e-3 / m) ** 2
            width = 0.51099895e-3**2 * m / (8.0 * math.pi * 246.22**2) * (1.0 - 4.0 * ratio) ** 1.5
            unit_cm = 1.973269804e-14 / width
        else:
            logs = np.log(life)
            unit_cm = 100.0 * math.exp(np.interp(math.log(m), logs[:, 0], logs[:, 1]))
        ctau = np.log(unit_cm / theta**2)
        known = (ctau > math.log(ctau_cm[0])) & (ctau < math.log(ctau_cm[-1]))
        branching = 1.0 if share is None else np.interp(m, share[:, 0], share[:, 1])
        rate = np.log(theta[known] ** 2 * made(m) * branching)
        inside = rate > limit(np.stack([np.full(known.sum(), m), ctau[known]], axis=1))
        if not inside.any():
            assert not point.intervals
            continue
        excluded += 1
        (interval,) = point.intervals
        ends = theta[known][inside][[0, -1]]
        assert interval.lower == pytest.approx(ends[0], rel=6e-3)
        if interval.upper is not None:
            assert interval.upper == pytest.approx(ends[1], rel=6e-3)
            both += 1
    assert excluded >= 10
    assert both >= 5 or state == "ee"  # whose exclusion goes on beyond the table


def test_a_table_of_hepdata_is_recast_like_its_csv(tmp_path: Path) -> None:
    """The same limits by mass and lifetime, in both forms, exclude the same mixings."""
    ctau_cm, masses = (0.1, 1.0, 10.0), (0.1, 0.15)
    text = "mass_GeV," + ",".join(f"UL95_ctau_{t:g}cm" for t in ctau_cm) + "\n"
    text += "".join(f"{m},1e-8,2e-8,9e-8\n" for m in masses)
    rows = [(m, t, v) for m in masses for t, v in zip(ctau_cm, (1e-8, 2e-8, 9e-8), strict=True)]
    document = {
        "independent_variables": [
            {"header": {"name": "m_S", "units": "GEV"}, "values": [{"value": r[0]} for r in rows]},
            {"header": {"name": "ctau", "units": "cm"}, "values": [{"value": r[1]} for r in rows]},
        ],
        "dependent_variables": [
            {"header": {"name": "95% CL upper limit"}, "values": [{"value": r[2]} for r in rows]}
        ],
    }
    table = curve(tmp_path, yaml.safe_dump(document), "table.yaml")
    asked_for = {"to": "dark_higgs_mixing", "production": "b_to_k", "final_state": "ee"}
    first, second = (
        w.recast(w.RecastRequest(limit=one, **asked_for)).result
        for one in (curve(tmp_path, text), table)
    )
    assert first.limit.cl == second.limit.cl == 0.95
    assert [p.intervals for p in first.first] == [p.intervals for p in second.first]
    assert all(p.intervals for p in first.first)


def test_regimes_are_in_record_and_figure(tmp_path: Path) -> None:
    """Couplings between regimes by mass, and a map; a production without momentum is refused."""
    with_dark = {"production": "radiative", "dark_matter": (0.3, 1e-9), "regimes": "9:1250"}
    found = w.recast(asked(curve(tmp_path), **with_dark))
    regimes = found.record()["regimes"]
    assert (regimes["near_mm"], regimes["far_mm"]) == (9.0, 1250.0)
    first, *_, resonance, last = regimes["boundaries"]
    assert first["escapes_to"] < first["visible_from"]
    assert first["escapes_to"] / first["visible_from"] == pytest.approx((9.0 / 1250.0) ** 0.5)
    assert last["invisible_to"] > 0.0
    assert "J/psi" in resonance["reason"]
    drawing = found.figure("regimes")
    assert list(drawing.columns["mass_gev"]) == [0.02, 0.5, 1.0, 3.1, 8.0]
    with pytest.raises(OptionError, match="--momentum"):
        w.recast(asked(curve(tmp_path), regimes="9:1250"))
    w.recast(asked(curve(tmp_path), regimes="9:1250", momentum_gev=2.0)).figure("regimes")


def test_long_lifetimes_that_are_taken_alike_are_told(tmp_path: Path) -> None:
    """A warning where c tau is long, none where it is short, declared, or does not matter."""
    weak = curve(tmp_path, "mass_GeV,epsilon_UL90\n0.005,1e-5\n1,1e-5\n", "weak.csv")
    record = w.recast(asked(weak, production="radiative")).record()
    (warning,) = record["warnings"]
    ctau = record["curves"][0]["points"][0]["ctau_mm"]
    assert f"{ctau:.3g} mm at 0.005 GeV" in warning
    assert "at 1 masses" in warning
    assert w.recast(asked(curve(tmp_path))).record()["warnings"] == []
    with_window = asked(weak, production="radiative", window="0:900")
    assert w.recast(with_window).record()["warnings"] == []


def test_a_limit_record_is_a_scan_of_one(tmp_path: Path) -> None:
    """Its mass is that of the coupling; without a coupling it has none, and is refused."""
    masses = Path(__file__).parents[2] / "workspaces/examples/mass_scan"
    words = [str(masses / "background_only.json"), "--patchset", str(masses / "patchset.json"),
             "--point", "mass_1p8"]  # fmt: skip
    model = ["--cross-sections", str(masses / "dark_vector.csv")]
    with_coupling, without = str(tmp_path / "with.json"), str(tmp_path / "without.json")
    assert run(["limit", *words, *model, "-o", with_coupling]) == 0
    assert run(["limit", *words, "-o", without]) == 0
    asked_for = {"to": "alp_photon", "production": "photon", "final_state": "gammagamma"}
    found = w.recast(w.RecastRequest(limit=with_coupling, **asked_for))
    fb = json.loads(Path(with_coupling).read_text("utf-8"))["cross_section_fb"]
    (point,) = found.result.curves["observed"]
    assert point.mass_gev == 1.8
    expected = BENCHMARKS["alp_photon"].to_coupling((1.8,), 1e-3 * fb["observed"])
    assert point.intervals[0].lower == pytest.approx(expected, rel=1e-9)
    found.figure("recast")
    with pytest.raises(DocumentError, match="--cross-sections"):
        w.recast(w.RecastRequest(limit=without, **asked_for))


def test_limits_that_hold_at_low_counts_are_recast(tmp_path: Path) -> None:
    """An asymptotic limit below that of no event at all is no limit."""
    record = scan_records.low_counts()
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(record), "utf-8")
    found = w.recast(
        w.RecastRequest(
            limit=str(path), to="alp_photon", production="photon", final_state="gammagamma"
        )
    ).result
    for k, point in enumerate(record["points"]):
        held = (point.get("low_counts") or point)["cross_section_fb"]
        assert found.curves["observed"][k].given == pytest.approx(1e-3 * held["observed"])
        assert found.curves["median"][k].given == pytest.approx(1e-3 * held["expected"][2])


def test_electrons_weaken_a_limit_in_photons(tmp_path: Path) -> None:
    """g^2 BR is what is limited: g rises with the root of 1 + 8 k^2 / m^2."""
    rates = curve(tmp_path, "mass_GeV,sigma_UL95_pb\n1,0.1\n2,0.1\n", "rates.csv")
    asked_for = {"limit": rates, "to": "alp_photon", "production": "photon",
                 "final_state": "gammagamma"}  # fmt: skip
    alone = w.recast(w.RecastRequest(**asked_for)).result.first
    both = w.recast(w.RecastRequest(**asked_for, electrons_gev=0.3)).result.first
    for a, b in zip(alone, both, strict=True):
        expected = math.sqrt(1.0 + 8.0 * (0.3 / a.mass_gev) ** 2)
        assert b.intervals[0].lower / a.intervals[0].lower == pytest.approx(expected, rel=1e-6)
    told = w.recast(w.RecastRequest(**asked_for, electrons_gev=0.3)).record()["assumptions"]
    assert "the coupling to photons; with a coupling to electrons besides" in " ".join(told)
    assert "only the coupling" not in " ".join(told)
    for wrong in (
        {"electrons_gev": 0.0},
        {"electrons_gev": math.inf},
        {"electrons_gev": 0.1, "to": "dark_photon"},
    ):
        with pytest.raises(OptionError, match="--electrons"):
            w.RecastRequest(**(asked_for | wrong))


def test_upper_ends_of_a_curve_need_a_word_on_lifetimes(tmp_path: Path) -> None:
    """Without one they would be lost; with the right one they come out again."""
    low = curve(tmp_path, "mass_GeV,epsilon_UL90\n0.02,2e-5\n0.05,2e-5\n0.1,1e-5\n", "low.csv")
    window = {"to": "dark_photon", "production": "radiative", "window": "10:900"}
    points = w.recast(asked(low, **window)).result.first
    rows = [f"{p.mass_gev!r} {p.intervals[0].lower!r} {p.intervals[0].upper!r}" for p in points]
    beam = tmp_path / "beam.lmt"
    beam.write_text("# 90% CL\n# mass lower upper\n" + "\n".join(rows) + "\n", "utf-8")
    with pytest.raises(OptionError, match="--decay-window"):
        w.recast(asked(str(beam)))
    record = w.recast(asked(str(beam), **window)).record()
    assert record["search"]["upper_ratio"] == pytest.approx(1.0, rel=1e-9)
    other = w.recast(asked(str(beam), **(window | {"window": "20:900"}))).record()
    assert other["search"]["upper_ratio"] < 0.9


def test_what_cannot_be_recast_is_refused(tmp_path: Path) -> None:
    """Files of other things, sources that they are not on, planes, masses that are not there."""
    file = curve(tmp_path)
    with pytest.raises(OptionError, match="--from"):
        w.recast(asked(file, source=None))
    with pytest.raises(OptionError, match="limits the coupling of dark_photon"):
        w.recast(asked(file, source="b_minus_l"))
    with pytest.raises(OptionError, match="no mass between"):
        w.recast(asked(file, mass_range_gev=(20.0, 30.0)))
    rates = curve(tmp_path, "mass_GeV,BR_UL90\n1,1e-6\n2,1e-6\n", "rates.csv")
    with pytest.raises(OptionError, match="leave --from out"):
        w.recast(asked(rates))
    with pytest.raises(OptionError, match="branching fractions"):
        w.recast(asked(rates, source=None, production="radiative"))
    falling = curve(tmp_path, "mass_GeV,epsilon_UL90\n1,1e-3\n0.5,1e-3\n", "falling.csv")
    with pytest.raises(DocumentError, match="comes after"):
        w.recast(asked(falling))
    outline = curve(tmp_path, "# polygon\n" + CURVE.partition("\n")[2], "outline.csv")
    with pytest.raises(DocumentError, match="outline"):
        w.recast(asked(outline))
    plane = tmp_path / "plane.json"
    plane.write_text(json.dumps(scan_records.plane()), "utf-8")
    with pytest.raises(DocumentError, match="one mass"):
        w.recast(asked(str(plane), source=None, production="radiative"))
    for wrong in (
        {"cl": 1.5}, {"mass_range_gev": (2.0, 1.0)}, {"momentum_gev": 1.0},
        {"decays": (("ctau", file),)},
    ):  # fmt: skip
        with pytest.raises(OptionError):
            asked(file, **wrong)


def test_nothing_certified_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where every mass is refused, the command says so and fails."""
    file = curve(tmp_path, "mass_GeV,epsilon_UL90\n3.0965,1e-3\n3.1,1e-3\n")
    words = ["--from", "dark_photon", "--to", "b_minus_l", "--production", "electron",
             "--final-state", "ee"]  # fmt: skip
    assert run(["recast", file, *words]) == 1
    assert "no mass has a number" in capsys.readouterr().err


def test_dark_higgsstrahlung_is_read_as_mixing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers of command and workflow agree; figures and CSV have them; the equation holds."""
    record = scan_records.plane(6, without=(3,))
    path = tmp_path / "plane.json"
    path.write_text(json.dumps(record), "utf-8")
    ctau = curve(tmp_path, "mass_GeV,ctau_m\n0.05,1e-9\n6,1e-9\n", "ctau.csv")
    table, figure = tmp_path / "mixing.csv", tmp_path / "map.png"
    words = ["dark-higgs", str(path), "--escapes-beyond", "1250", "--decays", f"ctau={ctau}",
             "--product", "2e-7"]  # fmt: skip
    assert run([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    found = w.dark_higgs(
        w.DarkHiggsRequest(result=str(path), far_mm=1250.0, product=2e-7, decays=(("ctau", ctau),))
    )
    made = json.loads(json.dumps(found.record()))
    for one in (printed, made):
        for key in ("command", "command_reason"):
            one["provenance"].pop(key, None)
    assert printed == made
    assert run([*words, "--intervals", str(table), "--plot", f"holds={figure}"]) == 0
    assert figure.stat().st_size > 10_000
    rows = [line for line in table.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert len(rows) == len(record["points"]) + 1
    excluded = [one for one in made["points"] if one["excluded_to"] is not None]
    assert 0 < len(excluded) < len(made["points"])
    for one in excluded:
        ratio = math.log(2e-7 / one["limit"]) / math.log(2.0)
        expected = one["holds_to"] * math.sqrt(ratio)
        assert one["excluded_to"] == pytest.approx(min(expected, 1.0), rel=1e-9)
    lost = [one for one in made["points"] if one["limit"] is None]
    assert len(lost) == 1
    assert "no limit" in lost[0]["excluded_to_reason"]
    assert lost[0]["holds_to"] is not None
    assert list(found.figure("excluded").columns["limit"]) == [
        one["limit"] for one in made["points"]
    ]


def test_planes_of_other_things_are_no_dark_higgsstrahlung(tmp_path: Path) -> None:
    """Scans over other masses, or without the coupling; numbers that are none."""
    other = tmp_path / "other.json"
    other.write_text(json.dumps(scan_records.predicted_plane()), "utf-8")
    with pytest.raises(DocumentError, match="m_dark_photon_gev"):
        w.dark_higgs(w.DarkHiggsRequest(result=str(other), far_mm=1250.0))
    bare = scan_records.plane(4)
    for point in bare["points"]:
        point["couplings"] = {}
    other.write_text(json.dumps(bare), "utf-8")
    with pytest.raises(DocumentError, match="dark_higgsstrahlung"):
        w.dark_higgs(w.DarkHiggsRequest(result=str(other), far_mm=1250.0))
    for wrong in ({"far_mm": 0.0}, {"far_mm": 1.0, "product": -1.0}):
        with pytest.raises(OptionError, match="above zero"):
            w.DarkHiggsRequest(result="x", **wrong)


def test_a_recast_is_submitted_to_hepdata(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One table a curve; both ends, and why one is none; what is not known is said."""
    file = curve(tmp_path)
    folder = tmp_path / "submission"
    words = ["recast", file, "--from", "dark_photon", "--to", "b_minus_l", "--production",
             "electron", "--final-state", "ee", "--hepdata", str(folder)]  # fmt: skip
    assert run([*words, "--sqrt-s", "10.58", "--collaboration", "X"]) == 0
    assert "not known: beams, reaction" in capsys.readouterr().out.replace("--", "")
    assert sorted(path.name for path in folder.iterdir()) == [
        "recast_observed.yaml", "submission.yaml",
    ]  # fmt: skip
    listed = list(yaml.safe_load_all((folder / "submission.yaml").read_text()))
    assert "No new data" in listed[0]["comment"]
    for one in listed[1:]:
        jsonschema.validate(one, TABLE)
    table = yaml.safe_load((folder / "recast_observed.yaml").read_text())
    jsonschema.validate(table, DATA)
    (masses,) = table["independent_variables"]
    lower, upper, *others = table["dependent_variables"]
    record = w.recast(asked(file)).record()
    points = record["curves"][0]["points"]
    assert [one["value"] for one in masses["values"]] == [p["mass_gev"] for p in points]
    ends = [one["intervals"][0]["lower"] if one["intervals"] else "-" for one in points]
    for value, end in zip(lower["values"], ends, strict=True):
        assert value["value"] == (end if end == "-" else pytest.approx(end, rel=1e-5))
    assert {one["value"] for one in upper["values"]} == {"-"}  # taken alike at any lifetime
    assert others[-1]["header"]["name"] == "Remark"
    named = {one["name"]: one["value"] for one in lower["qualifiers"]}
    assert named["CL"] == 90.0
    assert named["LIMIT ON"] == record["limit"]["quantity"]
    with pytest.raises(OptionError, match="go with --hepdata"):
        SubmissionRequest(beams="e+ e-")


def test_expected_curves_of_a_scan_are_tables_too(tmp_path: Path) -> None:
    """Its collision is that of the record."""
    record = scan_records.alp() | {"collision": {"sqrt_s_gev": 10.58, "beams": "e+ e-"}}
    (tmp_path / "scan.json").write_text(json.dumps(record))
    folder = tmp_path / "submission"
    found = w.recast(
        w.RecastRequest(
            limit=str(tmp_path / "scan.json"), to="alp_hypercharge", production="photon",
            final_state="gammagamma", submission=SubmissionRequest(hepdata=str(folder)),
        )
    )  # fmt: skip
    found.files[str(folder)](str(folder))
    names = {path.stem.removeprefix("recast_") for path in folder.glob("recast_*")}
    assert names == set(found.result.curves)
    said = yaml.safe_load((folder / "recast_median.yaml").read_text())
    qualifiers = {q["name"]: q["value"] for q in said["dependent_variables"][0]["qualifiers"]}
    assert qualifiers["SQRT(S)"] == 10.58
    assert qualifiers["DATA"] == "simulated"


def test_momenta_are_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two momenta of equal weight lie between each of them; one momentum or many, not both."""
    file = curve(tmp_path)
    (tmp_path / "p.csv").write_text("momentum_gev,weight\n1,1\n5,1\n")
    window = {"to": "dark_photon", "window": "0:9"}
    many = w.recast(asked(file, momenta=str(tmp_path / "p.csv"), **window)).record()
    assert Path(many["search"]["momenta"]).name == "p.csv"
    ends = [
        w.recast(asked(file, momentum_gev=p, **window)).record()["curves"][0]["points"][0]
        for p in (1.0, 5.0)
    ]
    here = many["curves"][0]["points"][0]
    uppers = [one["intervals"][0]["upper"] or math.inf for one in (*ends, here)]
    assert min(uppers[:2]) <= uppers[2] <= max(uppers[:2])
    for wrong, message in (
        ({"momenta": "p.csv"}, "goes with --decay-window"),
        ({"momenta": "p.csv", "momentum_gev": 1.0, "window": "0:9"}, "--momenta are many"),
        ({"momenta": "p.csv", "regimes": "9:1250", "window": "0:9"}, "--momenta are many"),
    ):
        with pytest.raises(OptionError, match=message):
            asked(file, **wrong)


@pytest.mark.parametrize("method", ["cls", "bayes"])
@pytest.mark.parametrize("model", ["12.3*g**2/m_b_gev**2", "12.3*g**2"])
def test_limits_of_each_method_are_scans_of_one(tmp_path: Path, method: str, model: str) -> None:
    """With the mass of the point, whether the cross section depends on it or not."""
    folder = Path(__file__).parents[2] / "workspaces/examples/mass_scan"
    label = read_patchset(str(folder / "patchset.json")).labels[0]
    out = str(tmp_path / "limit.json")
    words = ["limit", str(folder / "background_only.json"), "--patchset",
             str(folder / "patchset.json"), "--point", "mass_1p8", "--method", method,
             "--cross-sections", f"sigma_fb = {model.replace('m_b_gev', label)}",
             "--unit-signal", "2.5 fb", "-o", out]  # fmt: skip
    assert run(words) == 0
    record = json.loads(Path(out).read_text("utf-8"))
    found = w.recast(
        w.RecastRequest(limit=out, to="alp_photon", production="photon", final_state="gammagamma")
    ).result
    (point,) = found.curves["observed"]
    assert point.mass_gev == 1.8
    limit_pb = 1e-3 * record["cross_section_fb"]["observed"]
    expected = BENCHMARKS["alp_photon"].to_coupling((1.8,), limit_pb)
    assert point.intervals[0].lower == pytest.approx(expected, rel=1e-9)
    assert ("credibility" in found.limit.level) == (method == "bayes")
    Path(out).write_text(json.dumps(record | {"searched": {
        "production": "photon", "final_state": "ee"}}), "utf-8")  # fmt: skip
    with pytest.raises(OptionError, match="--production photon --final-state ee"):
        w.recast(
            w.RecastRequest(
                limit=out, to="alp_photon", production="photon", final_state="gammagamma"
            )
        )
