"""``plot`` and ``export`` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scan_records
from darkstats.errors import DocumentError

pytest.importorskip("matplotlib", reason="figures need the plot extra")

Call = Callable[..., Any]


@pytest.fixture
def scans(tmp_path: Path) -> dict[str, Path]:
    """Records on disk, by name."""
    records = {
        "alp": scan_records.alp(without=(3,)),
        "zprime": scan_records.zprime(),
        "more": scan_records.zprime(5e4),
        "plane": scan_records.plane(),
        "global": scan_records.global_significance(),
        "projection": scan_records.projection(),
        "statistical": scan_records.projection("statistical"),
    }
    paths = {}
    for name, record in records.items():
        paths[name] = tmp_path / f"{name}.json"
        paths[name].write_text(json.dumps(record))
    return paths


@pytest.mark.parametrize(
    ("results", "kinds"),
    [
        (("alp",), ("limits", "p_values")),
        (("zprime", "more"), ("projections",)),
        (("projection",), ("projections",)),
        (("projection", "statistical"), ("scenarios",)),
        (("plane",), ("against_first", "against_second", "expected", "observed", "significance")),
        (("global",), ("methods", "crossings")),
        ((), ("regimes",)),
    ],
)
def test_every_kind_of_record_is_drawn(
    call: Call, scans: dict[str, Path], tmp_path: Path, results: tuple[str, ...],
    kinds: tuple[str, ...],
) -> None:  # fmt: skip
    """Each kind, as its own file, with the numbers beside it; the first is the default."""
    files = [scans[name] for name in results]
    listed = call("plot", *files, "--json").record["figures"]
    assert listed == list(kinds)
    default = tmp_path / "default.png"
    assert call("plot", *files, "-o", default).status == 0
    for kind in kinds:
        path = tmp_path / f"{kind}.png"
        done = call("plot", *files, "--kind", kind, "-o", path, "--csv")
        assert done.status == 0, done.err
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".csv").is_file()
    assert default.read_bytes() == (tmp_path / f"{kinds[0]}.png").read_bytes()


def test_the_table_counts_failures_and_names_sources(call: Call, scans: dict[str, Path]) -> None:
    """Limits, largest excess, what failed and why, and each earlier constraint with its level."""
    text = " ".join(call("plot", scans["alp"]).out.split())
    assert "60, 1 without a result" in text
    assert f"m_3: {scan_records.FAILURE}" in text
    assert "arXiv:2007.13071 [B]" in text
    assert "simulated data" in text
    assert "only the photon coupling, BR(a -> gamma gamma) = 1" in text


def test_a_projection_says_how_systematic_errors_scale(
    scans: dict[str, Path], tmp_path: Path
) -> None:
    """The statement stands in the legend; the title names no single luminosity."""
    from matplotlib.text import Text

    from darkstats import workflows

    outcome = workflows.plot(workflows.PlotRequest(results=(str(scans["projection"]),)))
    words = [text.get_text() for text in outcome.figure().figure.findobj(Text)]
    assert any("relative systematic errors stay as they are" in text for text in words)
    assert not any("projected to" in text for text in words)
    scans["projection"].write_text(json.dumps({**scan_records.projection(), "scans": None}))
    with pytest.raises(DocumentError, match="has no scans"):
        workflows.plot(workflows.PlotRequest(results=(str(scans["projection"]),)))


def test_the_record_lists_constraints(call: Call, scans: dict[str, Path]) -> None:
    """Level, method and source of each; what is not stated has a reason."""
    record = call("plot", scans["alp"], "--json").record
    assert record["schema"] == "darkstats.plot/1"
    assert (record["hypotheses"], record["failed"], record["simulated"]) == (60, 1, True)
    first, lep = record["constraints"][:2]
    assert (first["cl"], first["arxiv"]) == (0.95, "2007.13071")
    assert (lep["cl"], lep["cl_reason"]) == (None, "not stated by the source")
    assert record["not_drawn"][0]["text"].startswith("0.165 to 2.84 GeV")


def test_constraints_of_a_folder(call: Call, scans: dict[str, Path], tmp_path: Path) -> None:
    """A folder replaces the catalogue, joins it if both are named; none leaves all away."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "LEP.txt").write_text("1e8 5e-3\n1e10 5e-3\n")

    def names(*options: object) -> list[str]:
        record = call("plot", scans["alp"], "--json", *options).record
        return [one["name"] for one in record["constraints"]]

    assert names("--constraints", folder) == ["LEP"]
    assert "E137" in names("--constraints", folder, "--constraints", "catalogue")
    assert names("--constraints", "none") == []
    (folder / "LEP.txt").write_text("1e8 5e-3\n1e10 nan\n")
    done = call("plot", scans["alp"], "--constraints", folder)
    assert done.status == 2
    assert "LEP.txt, line 2: coupling in 1/GeV is 'nan'" in done.err


def test_bands_of_the_anomaly(call: Call, scans: dict[str, Path], tmp_path: Path) -> None:
    """Beside couplings to muons only, for the years that are asked for."""
    path = tmp_path / "x.png"

    def bands(name: str, *options: object) -> int:
        assert call("plot", scans[name], "-o", path, "--csv", *options).status == 0
        return path.with_suffix(".csv").read_text().splitlines()[0].count("favoured")

    assert bands("zprime") == 9
    assert bands("zprime", "--anomaly", "2025") == 3
    assert bands("zprime", "--anomaly", "none") == 0
    assert bands("zprime", "--coupling", "cross_section") == 0
    assert bands("alp") == 0
    dressed = json.loads(scans["zprime"].read_text("utf-8"))
    for point in dressed["points"]:
        found = point["couplings"]
        point["couplings"] = {f"{name}_dressed": value for name, value in found.items()}
    dressed["benchmarks"] = [f"{name}_dressed" for name in dressed["benchmarks"]]
    (tmp_path / "dressed.json").write_text(json.dumps(dressed), "utf-8")
    scans = {**scans, "dressed": tmp_path / "dressed.json"}
    assert bands("dressed") == 9
    # g' of Z' -> mu mu is the same coupling: its bands are drawn where they are asked for.
    for point in dressed["points"]:
        point["couplings"] = {"lmu_ltau_mumu": next(iter(point["couplings"].values()))}
    dressed["benchmarks"] = ["lmu_ltau_mumu"]
    (tmp_path / "mumu.json").write_text(json.dumps(dressed), "utf-8")
    scans = {**scans, "mumu": tmp_path / "mumu.json"}
    assert bands("mumu") == 0
    assert bands("mumu", "--anomaly", "2021") == 3
    refused = call("plot", scans["alp"], "--anomaly", "2021", "-o", path)
    assert refused.status == 2
    assert "the figure is of alp_photon" in " ".join(refused.err.split())
    assert "give years" in call("plot", scans["zprime"], "--anomaly", "now").err
    done = call("plot", scans["zprime"], "--anomaly", "1999", "-o", path)
    assert "no inputs of 1999" in done.err


def test_levels_of_a_global_record(call: Call, scans: dict[str, Path], tmp_path: Path) -> None:
    """The levels stand beside the p-values that they are for."""
    path = tmp_path / "p.png"
    options = ("--kind", "p_values", "--levels", scans["global"], "-o", path, "--csv")
    assert call("plot", scans["alp"], *options).status == 0
    header, first, *_ = path.with_suffix(".csv").read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert (cells["global_significance"], cells["global_level_p_local"]) == ("1.0", "0.00028")


def test_slices_are_parameters(call: Call, scans: dict[str, Path], tmp_path: Path) -> None:
    """Masses joined by commas or repeated; a mass that is none is refused."""
    path = tmp_path / "s.png"
    options = ("--kind", "against_second", "-o", path, "--csv")
    assert call("plot", scans["plane"], *options, "--slice", "4,6", "--slice", "8").status == 0
    header = path.with_suffix(".csv").read_text().splitlines()[0]
    assert "slice3_observed" in header
    assert "slice4_observed" not in header
    for wrong, words in (("x", "'x' is no number"), ("-1", "masses above zero"), ("20", "no hypo")):
        done = call("plot", scans["plane"], *options, f"--slice={wrong}")
        assert (done.status, words in done.err) == (2, True)


@pytest.mark.parametrize("method", ["cls", "pcl", "fc"])
def test_a_limit_record_is_drawn_again(
    call: Call, two_bins: Path, on_off: Path, tmp_path: Path, method: str
) -> None:
    """The figure of a record has the numbers of the figure that the limit itself drew."""
    source = on_off if method == "fc" else two_bins
    toys = ("--toys", "300") if method == "fc" else ()
    record, once, again = (tmp_path / name for name in ("limit.json", "once.png", "again.png"))
    options = ("--method", method, *toys, "-o", record, "--plot", once, "--csv")
    assert call("limit", source, *options).status == 0
    done = call("plot", record, "-o", again, "--csv")
    assert done.status == 0, done.err
    assert again.with_suffix(".csv").read_text() == once.with_suffix(".csv").read_text()


def test_records_that_cannot_be_drawn_are_refused(
    call: Call, two_bins: Path, scans: dict[str, Path], tmp_path: Path
) -> None:
    """A record of another kind, one without its curve, several that do not belong together."""
    fit = tmp_path / "fit.json"
    assert call("fit", two_bins, "-o", fit).status == 0
    limit = tmp_path / "limit.json"
    assert call("limit", two_bins, "-o", limit).status == 0
    bare = {**json.loads(limit.read_text()), "scan": None}
    broken = {**json.loads(limit.read_text()), "scan": {"mu": 3}}
    text = tmp_path / "list.json"
    text.write_text("[1]")
    for files, words in (
        ((fit,), "has schema 'darkstats.fit/1', of which no figure can be made again"),
        ((scans["alp"], scans["global"]), "several results in one figure have to be scans"),
        ((text,), "is no record"),
    ):
        done = call("plot", *files)
        assert (done.status, words in done.err) == (2, True), done.err
    for record, words in ((bare, "keeps no curve"), (broken, "/scan: is no curve")):
        limit.write_text(json.dumps(record))
        done = call("plot", limit)
        assert (done.status, words in done.err) == (2, True), done.err
    done = call("plot", scans["alp"], "--kind", "brazil", "-o", tmp_path / "x.png")
    assert "unknown figure 'brazil'; choose one of: limits, p_values" in done.err
    assert not (tmp_path / "x.png").exists()


def test_not_a_number_in_a_record_is_refused(call: Call, tmp_path: Path) -> None:
    """It names the file, and draws nothing."""
    path = tmp_path / "scan.json"
    path.write_text(json.dumps(scan_records.alp()).replace('"mu_hat": 0.0', '"mu_hat": NaN', 1))
    done = call("plot", path)
    assert done.status == 2
    assert str(path) in done.err


def test_ranges_are_checked(call: Call, scans: dict[str, Path]) -> None:
    """An axis rises from a positive number; none stands alone."""
    done = call("plot", scans["alp"], "--mass-range", "2", "1")
    assert "--mass-range 2 1: give two rising positive ends" in done.err
    done = call("plot", scans["alp"], "--constraints", "none", "--constraints", "catalogue")
    assert "--constraints none stands alone" in done.err


def test_export(call: Call, scans: dict[str, Path], tmp_path: Path) -> None:
    """CSV and HEPData files are written and listed; without either there is nothing to do."""
    table, folder = tmp_path / "scan.csv", tmp_path / "hepdata"
    done = call("export", scans["alp"], "--csv", table, "--hepdata", folder, "--json")
    assert done.record["files"][0] == str(table)
    assert {Path(name).name for name in done.record["files"][1:]} == {
        "submission.yaml", "limits_signal_strength.yaml", "limits_cross_section.yaml",
        "limits_alp_photon.yaml", "p_values.yaml",
    }  # fmt: skip
    assert all(Path(name).is_file() for name in done.record["files"])
    assert "10.583" in (folder / "p_values.yaml").read_text()
    assert "only the photon coupling" in (folder / "submission.yaml").read_text()
    assert "name a file with --csv" in call("export", scans["alp"]).err
    assert "is no scan record" in call("export", scans["global"], "--csv", table).err


def test_contours_of_regions_from_the_command_line(call: Call, tmp_path: Path) -> None:
    """``contour`` writes record, CSV, submission and figure, and says what it interpolated."""
    files = []
    for record in scan_records.regions("A", "B"):
        path = tmp_path / f"{record['name']}.json"
        path.write_text(json.dumps(record))
        files.append(path)
    plane = ("--x", "m_heavy_gev", "--y", "m_heavy_gev-m_heavy2_gev", "--where", "m_dm_gev=60")
    out = [tmp_path / name for name in ("c.json", "c.csv", "hep", "c.png")]
    done = call("contour", *files, *plane, "-o", out[0], "--curves", out[1], "--hepdata", out[2],
                "--plot", out[3])  # fmt: skip
    assert done.status == 0, done.err
    assert "log of the upper limit" in done.out
    assert "lowest median expected" in done.out
    record = json.loads(out[0].read_text())
    assert [one["name"] for one in record["scans"]] == ["A", "B"]
    assert out[1].read_text().startswith("# Search for heavy squarks")
    assert (out[2] / "submission.yaml").exists()
    assert out[3].stat().st_size > 10_000
    printed = call("contour", *files, *plane, "--json").record
    assert printed == record


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--interpolate", "p"), "choose one of: mu, cls"),
        (("--sqrt-s", "13000"), "go with --hepdata"),
        (("--x", "m_heavy_gev"), "stand together"),
        (("--curves", "nowhere/c.csv"), "make it first"),
        (("--plot", "observed=c.png"), "choose one of: contours"),
    ],
)
def test_contours_refuse_what_they_cannot_do(
    call: Call, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    """Options that cannot be met end with status 2 and a remedy."""
    path = tmp_path / "plane.json"
    path.write_text(json.dumps(scan_records.predicted_plane()))
    done = call("contour", path, *options)
    assert done.status == 2
    assert words in done.err
