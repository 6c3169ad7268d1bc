"""Questions that a search did not ask are refused, not answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scan_records
from darkstats import workflows as w
from darkstats.cli import run
from darkstats.errors import InputError, OptionError
from darkstats.report.scan_reading import read_scan
from darkstats.workflows.coupling_requests import CouplingAtMass, CouplingRequest
from darkstats.workspace import apply_patch, read_patchset

REPOSITORY = Path(__file__).parents[2]


def written(tmp_path: Path, record: dict[str, Any], *benchmarks: str) -> str:
    """The record of a search with these benchmarks, as a file."""
    path = tmp_path / "scan.json"
    path.write_text(json.dumps({**record, "benchmarks": list(benchmarks)}), "utf-8")
    return str(path)


def asked(limit: str, to: str, production: str, final_state: str) -> w.RecastRequest:
    return w.RecastRequest(limit=limit, to=to, production=production, final_state=final_state)


def flavour() -> dict[str, Any]:
    """A scan of which signal strength 1 is a cross section of events that are seen."""
    record = scan_records.alp(12)
    for point in record["points"]:
        fb = point["cross_section_fb"]
        point["couplings"] = {"lfv_efficiency": {"symbol": "efficiency x cross section [fb]", **fb}}
    return record | {"labels": ["m_zprime_gev"]}


@pytest.mark.parametrize(
    ("to", "production", "state"),
    [("lmu_ltau", "mumu", "invisible"), ("b_minus_l", "radiative", "ee")],
)
def test_a_limit_with_the_efficiency_in_it_is_none_on_sigma(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str, production: str, state: str
) -> None:
    """Refused, with what is limited and what is missing; exit status 2."""
    path = written(tmp_path, flavour(), "lfv_efficiency")
    words = ["recast", path, "--to", to, "--production", production, "--final-state", state]
    assert run(words) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "limits efficiency x cross section [fb], not a cross section" in said
    assert "divide the limit by the efficiency" in said


def test_cross_sections_are_none_of_a_limit_with_the_efficiency_in_it(tmp_path: Path) -> None:
    """Of a record, and of a scan before its work."""
    path = written(tmp_path, flavour(), "lfv_efficiency")
    model = CouplingRequest(cross_sections="sigma_fb = 12.3*g**2")
    drawn = CouplingAtMass(cross_sections="sigma_fb = 12.3*g**2")
    for asked_for in (
        lambda: w.export(
            w.ExportRequest(result=path, csv=str(tmp_path / "x.csv"), couplings=model)
        ),
        lambda: w.plot(w.PlotRequest(results=(path,), couplings=drawn)),
    ):
        with pytest.raises(OptionError, match="efficiency x cross section"):
            asked_for()
    assert not (tmp_path / "x.csv").exists()


def test_a_scan_is_refused_before_its_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search, out = str(REPOSITORY / "workspaces/zprime_lfv_2018"), tmp_path / "scan"
    words = ["scan", search, "-o", str(out), "--cross-sections", "sigma_fb = 12.3*g**2"]
    assert run(words) == 2
    assert "efficiency x cross section" in " ".join(capsys.readouterr().err.split())
    assert not (out / "scan.json").exists()


def test_sheets_have_no_row_of_sigma_beside_the_efficiency(tmp_path: Path) -> None:
    """What the record calls a cross section is the same number under a wrong name."""
    record = flavour()
    assert "cross_section" in read_scan(record, source="x").limits
    limits = read_scan({**record, "benchmarks": ["lfv_efficiency"]}, source="x").limits
    assert list(limits) == ["signal_strength", "lfv_efficiency"]
    sheet = tmp_path / "sheet.csv"
    w.export(w.ExportRequest(result=written(tmp_path, record, "lfv_efficiency"), csv=str(sheet)))
    assert "cross_section" not in sheet.read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize(
    ("benchmarks", "request_", "search"),
    [
        (["lmu_ltau_mumu"], ("lmu_ltau", "mumu", "invisible"),
         "--production mumu or muon with --final-state mumu"),
        (["lmu_ltau_tautau", "leptophilic_scalar_tautau"], ("lmu_ltau", "mumu", "mumu"),
         "--final-state tautau"),
        (["dark_photon"], ("b_minus_l", "radiative", "ee"), "--final-state invisible"),
        (["dark_photon"], ("alp_photon", "photon", "gammagamma"), "--production radiative"),
        (["b_to_k_branching"], ("b_minus_l", "radiative", "ee"), "--production b_to_k"),
        (["muonphilic_scalar_mumu"], ("lmu_ltau", "mumu", "mumu"), "which no --production makes"),
    ],
)  # fmt: skip
def test_a_request_that_all_benchmarks_contradict_is_refused(
    tmp_path: Path, benchmarks: list[str], request_: tuple[str, str, str], search: str
) -> None:
    """It says what the search is."""
    path = written(tmp_path, scan_records.alp(12), *benchmarks)
    with pytest.raises(OptionError, match=f"is of a search for .*{search}"):
        w.recast(asked(path, *request_))


def test_one_benchmark_that_agrees_is_enough_and_none_is_taken_at_its_word(
    tmp_path: Path,
) -> None:
    """Records without benchmarks stay as they are, as do those with names of others."""
    record = scan_records.alp(12)
    one = w.recast(
        asked(written(tmp_path, record, "lmu_ltau_mumu", "lmu_ltau"), "lmu_ltau", "mumu", "mumu")
    ).result
    assert any(point.intervals for point in one.first)
    for names in ((), ("a model of mine",)):
        path = written(tmp_path, record, *names)
        found = w.recast(asked(path, "lmu_ltau", "mumu", "mumu")).result
        assert [point.intervals for point in found.first] == [p.intervals for p in one.first]


def test_a_decay_that_there_is_none_of_is_refused(tmp_path: Path) -> None:
    """At no mass is it excluded or allowed: what is missing is said."""
    path = written(tmp_path, scan_records.alp(12), "dark_photon")
    with pytest.raises(OptionError, match=r"no such decay at any mass .*--dark-matter GEV ALPHA"):
        w.recast(asked(path, "dark_photon", "radiative", "invisible"))
    dark = w.RecastRequest(
        limit=path, to="dark_photon", production="radiative", final_state="invisible",
        dark_matter=(0.05, 0.1),
    )  # fmt: skip
    assert any(point.intervals for point in w.recast(dark).result.first)
    heavy = w.RecastRequest(
        limit=path, to="dark_photon", production="radiative", final_state="invisible",
        dark_matter=(9.0, 0.1),
    )  # fmt: skip
    with pytest.raises(OptionError, match="no such decay at any mass") as refused:
        w.recast(heavy)
    assert "--dark-matter" not in str(refused.value)
    few = w.recast(
        asked(written(tmp_path, scan_records.alp(12)), "dark_photon", "radiative", "tautau")
    ).result  # closed below two taus alone
    assert few.count("not excluded") > 0
    assert any(point.intervals for point in few.first)


SIGMA = ("--cross-sections", "sigma_fb = 12.3*g**2", "--mass", "2")
LFV = REPOSITORY / "workspaces/zprime_lfv_2018"


def with_signal(folder: Path) -> Path:
    """One hypothesis of the search for e mu and missing energy, as a workspace of its own."""
    patch_set = read_patchset(str(LFV / "patchset.json"))
    document = json.loads((LFV / "background_only.json").read_text("utf-8"))
    whole = apply_patch(document, list(next(iter(patch_set)).operations))
    folder.mkdir()
    path = folder / "one.json"
    path.write_text(json.dumps(whole), "utf-8")
    return path


def refusal(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run([str(word) for word in words]) == 2
    return " ".join(capsys.readouterr().err.split())


def test_a_limit_of_one_hypothesis_is_refused_beside_the_record_of_its_build(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Sidecars of earlier builds name no benchmarks: the record beside them does."""
    point = next(iter(read_patchset(str(LFV / "patchset.json")))).name
    words = ("limit", LFV / "background_only.json", "--patchset", LFV / "patchset.json")
    said = refusal(capsys, *words, "--point", point, *SIGMA)
    assert "limits efficiency x cross section [fb], not a cross section" in said


@pytest.mark.parametrize("verb", ["limit", "scan"])
def test_a_sidecar_says_that_the_efficiency_is_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    path = with_signal(tmp_path / "alone")
    sidecar = {"schema": "darkstats.meta/1", "simulated": True, "reference_cross_section_pb": 0.01}
    beside = path.with_name("one.meta.json")
    beside.write_text(
        json.dumps(sidecar | {"benchmarks": ["lfv_efficiency", "of_another_program"]})
    )
    more = ("-o", tmp_path / "out") if verb == "scan" else ("--mass", "2")
    words = (verb, path, *SIGMA[:2], *more)
    assert "limits efficiency x cross section" in refusal(capsys, *words)
    beside.write_text(json.dumps(sidecar))  # a search that does not say it is taken at its word
    assert run([str(word) for word in words]) == 0
    beside.write_text(json.dumps(sidecar | {"benchmarks": "lfv_efficiency"}))
    assert "/benchmarks: is no list of names" in refusal(capsys, *words)


def test_the_record_of_a_limit_says_it_to_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    point = next(iter(read_patchset(str(LFV / "patchset.json")))).name
    words = ["limit", LFV / "background_only.json", "--patchset", LFV / "patchset.json"]
    words += ["--point", point, "--json"]
    capsys.readouterr()
    assert run([str(word) for word in words]) == 0
    out = tmp_path / "limit.json"
    out.write_text(capsys.readouterr().out, "utf-8")
    assert json.loads(out.read_text("utf-8"))["benchmarks"] == ["lfv_efficiency"]
    said = refusal(capsys, "plot", out, *SIGMA, "--unit-signal", "g=0.1")
    assert "limits efficiency x cross section" in said


@pytest.mark.parametrize(("origin", "told"), [(None, True), ("alp_photon", False)])
def test_a_recast_says_that_its_rate_is_at_born_level(
    tmp_path: Path, origin: str | None, told: bool
) -> None:
    """Of a cross section; a coupling that is recast keeps what it was made with."""
    name = "sigma_UL95_pb" if origin is None else "g_agg_GeV^-1_UL95"
    limit = tmp_path / "limit.csv"
    limit.write_text(f"mass_GeV,{name}\n1.0,0.001\n2.0,0.001\n", "utf-8")
    request = w.RecastRequest(
        limit=str(limit), source=origin, to="alp_photon", production="photon",
        final_state="gammagamma",
    )  # fmt: skip
    said = " ".join(w.recast(request).record()["assumptions"])
    assert ("vacuum polarisation would make it 1.078 times as large" in said) is told
    assert ("couplings 3.7 % smaller" in said) is told


def of_search(tmp_path: Path, record: dict[str, Any], **searched: Any) -> str:
    """The record of a search that says what it looked for, and names no benchmark."""
    path = tmp_path / "scan.json"
    path.write_text(json.dumps({**record, "searched": searched}), "utf-8")
    return str(path)


PHOTON = {"max_cosine": 0.95}
INELASTIC = PHOTON | {"splitting_ratio": 0.4, "mediator_ratio": 3.0}


@pytest.mark.parametrize(
    ("searched", "request_", "said"),
    [
        (("photon", "gammagamma", {}), ("alp_photon", "photon", "visible"), "gammagamma"),
        (("mumu", "mumu", {}), ("lmu_ltau", "mumu", "ee"), "--production mumu --final-state mumu"),
        (("mumu", "mumu", {}), ("lmu_ltau", "mumu", "visible"), "--final-state mumu"),
        (("mumu_scalar", "mumu", {}), ("lmu_ltau", "mumu", "mumu"), "S radiated off a muon"),
        (("radiative", "mumu", PHOTON), ("dark_photon", "radiative", "invisible"), "mumu"),
        (("radiative", "mumu", {"max_cosine": 0.5}), ("dark_photon", "radiative", "mumu"),
         "max_cosine = 0.5"),
        (("radiative", "ee", INELASTIC), ("alp_photon", "photon", "gammagamma"), "state ee"),
        (("radiative", "ee", INELASTIC), ("dark_photon", "radiative", "ee"), "ratio = 0.4"),
        (("radiative", "ee", INELASTIC | {"splitting_ratio": 0.1}),
         ("inelastic_dark_matter", "radiative", "ee"), "splitting_ratio = 0.1"),
    ],
)  # fmt: skip
def test_what_was_not_searched_for_is_refused(
    tmp_path: Path,
    searched: tuple[str, str, dict[str, float]],
    request_: tuple[str, str, str],
    said: str,
) -> None:
    """Production, final state, and what the signal fixes, as the record says them."""
    production, state, parameters = searched
    path = of_search(
        tmp_path, scan_records.alp(12), production=production, final_state=state,
        parameters=parameters,
    )  # fmt: skip
    with pytest.raises(OptionError, match=f"is of a search for .*{said}"):
        w.recast(asked(path, *request_))


def test_what_was_searched_for_is_taken(tmp_path: Path) -> None:
    """With the same numbers as from a record that does not say it."""
    record = scan_records.alp(12)
    plain = w.recast(asked(written(tmp_path, record), "lmu_ltau", "mumu", "mumu")).result
    path = of_search(tmp_path, record, production="mumu", final_state="mumu", parameters={})
    found = w.recast(asked(path, "lmu_ltau", "mumu", "mumu")).result
    assert [one.intervals for one in found.first] == [one.intervals for one in plain.first]
    path = of_search(tmp_path, record, production="radiative", final_state="mumu",
                     parameters=PHOTON)  # fmt: skip
    w.recast(asked(path, "dark_photon", "radiative", "mumu"))


def test_a_record_that_says_nonsense_is_refused_with_its_place(tmp_path: Path) -> None:
    path = of_search(tmp_path, scan_records.alp(12), production="mumu", final_state="x")
    with pytest.raises(InputError, match="/searched: final state 'x'"):
        w.recast(asked(path, "lmu_ltau", "mumu", "mumu"))


def by_lifetime(tmp_path: Path) -> dict[str, Any]:
    """What a limit by lifetime is recast with, but for a final state."""
    files = {
        "limit.csv": "mass_GeV,UL90_ctau_1mm,UL90_ctau_100mm\n1,1e-6,1e-6\n2,1e-7,1e-7\n",
        "ctau.csv": "mass_GeV,ctau_mm\n1,1e-4\n2,1e-4\n",
        "mumu.csv": "mass_GeV,BR\n1,0.5\n2,0.5\n",
        "ee.csv": "mass_GeV,BR\n1,0.5\n2,0.5\n",
        "efficiency.csv": "ctau_mm,efficiency\n1,1\n100,0.5\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    decays = tuple((key, str(tmp_path / f"{key}.csv")) for key in ("ctau", "mumu"))
    return {
        "limit": str(tmp_path / "limit.csv"), "to": "dark_higgs_mixing", "production": "b_to_k",
        "decays": decays,
    }  # fmt: skip


def test_lifetimes_are_applied_once(tmp_path: Path) -> None:
    """A limit by lifetime has the efficiency of each in it."""
    facts = by_lifetime(tmp_path) | {"final_state": "mumu"}
    assert w.recast(w.RecastRequest(**facts)).result.first[0].status == "excluded"
    table = str(tmp_path / "efficiency.csv")
    for more in ({"window": "0:9"}, {"efficiency": table}):
        with pytest.raises(OptionError, match="is a limit by lifetime, which has the efficiency"):
            w.recast(w.RecastRequest(**facts, **more))


def test_decays_that_are_not_named_are_told(tmp_path: Path) -> None:
    """Of `leptons` muons alone are half of what muons and electrons are."""
    facts = by_lifetime(tmp_path)
    some = w.recast(w.RecastRequest(**facts, final_state="leptons")).record()
    assert "counts mumu alone: --decays names no ee" in " ".join(some["warnings"])
    facts["decays"] = (*facts["decays"], ("ee", str(tmp_path / "ee.csv")))
    both = w.recast(w.RecastRequest(**facts, final_state="leptons")).record()
    assert "counts" not in " ".join(both["warnings"])
    one = w.recast(w.RecastRequest(**facts, final_state="mumu")).record()
    assert "counts" not in " ".join(one["warnings"])
