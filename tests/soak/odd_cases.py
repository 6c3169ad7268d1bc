"""Cases of the soak of meaning: files in a folder, and a command line that reads them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak import odd_files
from tests.soak.odd_documents import (
    NAMES,
    NUMBERS,
    Document,
    Rng,
    chance,
    modifiers_of,
    odd_workspace,
    pick,
    twist,
)
from tests.soak.odd_files import write_json

import foreign_searches


@dataclass
class Case:
    """A command line, the files and folders that it may write, and its input on standard input."""

    kind: str
    arguments: list[str]
    outputs: list[str] = field(default_factory=list)


_CODES = ("normsys=code1,histosys=code0", "normsys=code4,histosys=code2", "normsys=code4", "code9")
_EXTREMES = ("0", "1", "-1", "1e-9", "1e9", "nan", "inf", "1e999", "x", "", "0.5", "3", "١")


def _word(rng: Rng, *ordinary: str) -> str:
    """An ordinary value of an option, or a few times an odd one."""
    return str(pick(rng, ordinary) if chance(rng, 0.92) else pick(rng, (*_EXTREMES, *NAMES)))


def _options(rng: Rng, verb: str, document: Document) -> list[str]:
    """Options of one of the statistical verbs."""
    found: list[str] = []
    try:
        names = [m["name"] for m in modifiers_of(document)] or ["mu"]
        channels = [c["name"] for c in document["channels"]]
        measurements = [m["name"] for m in document["measurements"]] or ["m"]
    except (KeyError, TypeError):
        names, channels, measurements = ["mu"], ["SR"], ["m"]

    def maybe(probability: float, *words: Callable[[], str] | str) -> None:
        if chance(rng, probability):
            found.extend(w if isinstance(w, str) else w() for w in words)

    maybe(0.1, "--poi", lambda: pick(rng, (pick(rng, names), "", _word(rng, "mu"))))
    maybe(0.05, "--measurement", lambda: _word(rng, *measurements))
    maybe(0.05, "--interpolation", lambda: pick(rng, _CODES))
    maybe(0.05, "--mask", lambda: _word(rng, *channels))
    if verb not in {"gof"}:
        maybe(0.08, pick(rng, ("--blind", "--unblind")))
    if verb == "fit":
        maybe(0.15, "--mu", lambda: _word(rng, "0", "1", "5"))
        maybe(0.2, "--fix", lambda: f"{_word(rng, *names)}={_word(rng, '0', '1', '0.5')}")
        maybe(0.1, "--minos", lambda: _word(rng, *names))
    elif verb == "limit":
        maybe(0.3, "--cl", lambda: _word(rng, "0.9", "0.95", "0.68", "0.9999"))
        maybe(0.25, "--method", lambda: pick(rng, ("cls", "clsb", "pcl", "clsb", "pcl", "nix")))
        maybe(0.15, "--test-stat", lambda: pick(rng, ("q", "qtilde", "q0", "t")))
        maybe(0.15, "--band", lambda: pick(rng, ("root", "fixed-sigma", "x")))
        maybe(0.1, "--poi-lower", lambda: _word(rng, "-1", "-10", "0"))
    elif verb == "hypotest":
        maybe(0.6, "--mu", lambda: _word(rng, "0", "1", "0.1", "10", "1e6", "-1"))
        maybe(0.4, "--test-stat", lambda: pick(rng, ("q", "qtilde", "q0", "t", "ttilde")))
    elif verb == "significance":
        maybe(0.3, "--uncapped")
    elif verb == "rank":
        maybe(0.3, "--top", lambda: _word(rng, "1", "5", "0"))
    elif verb == "scan-poi":
        found += ["--points", pick(rng, ("2", "3", "5", "11", "5", "3", "0", "1"))]
        maybe(0.2, "--parameter", lambda: _word(rng, *names))
        maybe(0.3, "--range", lambda: pick(rng, ("0:5", "5:0", "0:0", "-1:1", "0:1e300", "x:y")))
    return [*found, "--threads", "1"]


def _expensive(rng: Rng, verb: str) -> list[str]:
    """Toys, posteriors and figures, each of them rare: they cost a hundred times a fit."""
    toys = ["--calculator", "toys", "--toys", pick(rng, ("1", "2", "20", "50", "0", "-1"))]
    toys += ["--seed", pick(rng, ("0", "1", "-1", str(2**64), "x"))]
    if verb in {"hypotest", "significance", "gof", "limit"} and chance(rng, 0.02):
        return toys
    if verb == "limit" and chance(rng, 0.02):
        return ["--method", "fc", "--toys", pick(rng, ("10", "30", "1"))]
    if verb == "limit" and chance(rng, 0.006):
        engine = pick(rng, ("auto", "quadrature", "laplace", "auto", "nuts"))
        words = ["--method", "bayes", "--engine", engine, "--expected", "none"]
        priors = ("flat", "flat:0,10", "coupling:2", "log-flat:1e-3,10", "jeffreys", "flat:1,0")
        return [*words, "--prior", pick(rng, priors)]
    if verb in {"hypotest", "significance", "limit", "fit"} and chance(rng, 0.002):
        return ["--referee", "pyhf"]
    return []


def _output(rng: Rng, case: Case, verb: str) -> Case:
    """Where the result goes: a table, JSON, a file, now and then a figure."""
    if chance(rng, 0.6):
        case.arguments.append("--json")
    if verb not in {"digest", "scan", "global"} and chance(rng, 0.1):
        name = pick(rng, ("out.json", "out.json", "nix/out.json", ".", "o\u0301.json"))
        case.arguments += ["-o", name]
        case.outputs.append(name)
    if verb in {"fit", "limit", "hypotest", "scan-poi", "rank", "inspect"} and chance(rng, 0.006):
        case.arguments += ["--plot", pick(rng, ("f.png", "f.svg", "f.pdf", "f.txt", "x=f.png"))]
        case.outputs += ["f.png", "f.svg", "f.pdf", "f.csv"]
        if chance(rng, 0.3):
            case.arguments.append("--csv")
    return case


_CHEAP = ("inspect", "inspect", "inspect", "digest", "fit", "fit")
_FITS = ("fit", "fit", "limit", "hypotest", "significance", "gof", "rank", "scan-poi")


def workspace_case(rng: Rng, folder: Path) -> Case:
    """An odd workspace under one of the verbs."""
    document = odd_workspace(rng)
    write_json(folder / "w.json", document)
    verb = pick(rng, _CHEAP if chance(rng, 0.5) else _FITS)
    arguments = [verb, "w.json"]
    if verb in _FITS:
        arguments += _options(rng, verb, document) + _expensive(rng, verb)
    elif verb == "inspect" and chance(rng, 0.2):
        arguments += ["--findings", "all"]
    return _output(rng, Case("workspace", arguments), verb)


def data_case(rng: Rng, folder: Path) -> Case:
    """Other observed counts."""
    document = odd_workspace(rng)
    write_json(folder / "w.json", document)
    counts: Any = {o["name"]: [pick(rng, (0, 1, 5, 100, pick(rng, NUMBERS))) for _ in o["data"]]
                   for o in document["observations"]}  # fmt: skip
    if chance(rng, 0.4):
        counts = twist(rng, counts)
    write_json(folder / "d.json", counts)
    verb = pick(rng, _FITS)
    arguments = [verb, "w.json", "--data", "d.json", *_options(rng, verb, document)]
    return _output(rng, Case("data", arguments), verb)


def patch_case(rng: Rng, folder: Path) -> Case:
    """Sequences of patches."""
    background = foreign_searches.background()
    write_json(folder / "w.json", background)
    arguments = [pick(rng, ("inspect", "digest", *_FITS)), "w.json"]
    for k in range(int(rng.integers(1, 4))):
        write_json(folder / f"p{k}.json", odd_files.patch(rng, k))
        arguments += ["-p", f"p{k}.json"]
    if arguments[0] in _FITS:
        arguments += _options(rng, arguments[0], background)
    return _output(rng, Case("patches", arguments), arguments[0])


def patch_set_case(rng: Rng, folder: Path) -> Case:
    """A point of an odd patch set, or a look at it."""
    background = foreign_searches.background()
    write_json(folder / "w.json", background)
    made = odd_files.patch_set(rng)
    write_json(folder / "set.json", made)
    if chance(rng, 0.3):
        return _output(rng, Case("patch set", ["inspect", "set.json"]), "inspect")
    verb = pick(rng, ("inspect", "digest", *_FITS))
    arguments = [verb, "w.json", "--patchset", "set.json"]
    if chance(rng, 0.9):
        arguments += ["--point", _word(rng, "point_0", "point_1", "0", "0,1", "100")]
    if verb in _FITS:
        arguments += _options(rng, verb, background)
    return _output(rng, Case("patch set", arguments), verb)


def create_case(rng: Rng, folder: Path) -> Case:
    """``patchset create`` from loose patches."""
    write_json(folder / "w.json", foreign_searches.background())
    arguments = ["patchset", "create", "w.json"]
    for k in range(int(rng.integers(1, 5))):
        write_json(folder / f"patch.m_{100 * k}_{k}.json", odd_files.patch(rng, k))
    arguments += [
        "-p",
        pick(rng, ("patch.*.json",) * 5 + ("*.json", "nix*.json", "patch.m_0_0.json")),
    ]
    if chance(rng, 0.5):
        rules = ("patch.m_{a}_{b}",) * 5 + ("m_{a}", "{x}", "p.{a}_{a}", "{", "(.*)", "patch.{m}")
        arguments += ["--name-pattern", _word(rng, *rules)]
    if chance(rng, 0.2):
        arguments += ["--description", pick(rng, NAMES), "--hepdata", _word(rng, "ins123", "x")]
    return _output(rng, Case("patchset create", arguments), "patchset")


def scan_case(rng: Rng, folder: Path) -> Case:
    """A scan of an odd patch set or of loose patches."""
    write_json(folder / "w.json", foreign_searches.background())
    arguments = [pick(rng, ("scan", "scan", "scan", "project")), "w.json"]
    if chance(rng, 0.6) or arguments[0] == "project":
        write_json(folder / "set.json", odd_files.patch_set(rng))
        arguments += ["--patchset", "set.json"]
    else:
        for k in range(int(rng.integers(1, 4))):
            write_json(folder / f"patch.m_{100 * k}_{k}.json", odd_files.patch(rng, k))
        arguments += ["-p", "patch.*.json"]
        if chance(rng, 0.4):
            arguments += ["--name-pattern", _word(rng, "patch.m_{a}_{b}", "patch.m_{a}")]
    case = Case("scan", [*arguments, "--workers", "1"])
    if chance(rng, 0.3):
        case.arguments += ["--cl", _word(rng, "0.9", "0.68")]
    if chance(rng, 0.3):
        case.arguments += ["--method", pick(rng, ("cls", "clsb", "pcl", "clsb", "pcl", "nix"))]
    if chance(rng, 0.1):
        case.arguments += [pick(rng, ("--blind", "--unblind"))]
    if arguments[0] == "project":
        case.arguments += ["--lumi", _word(rng, "1", "1,10", "50,1e5")]
    else:
        case.arguments += ["-o", "out"]
        case.outputs.append("out")
        if chance(rng, 0.05):
            case.arguments += ["--calculator", "toys", "--toys", pick(rng, ("5", "20"))]
    if chance(rng, 0.5):
        case.arguments.append("--json")
    return case


def edit_case(rng: Rng, folder: Path) -> Case:
    """``combine``, ``prune`` and ``rename``."""
    left, right = odd_workspace(rng), odd_workspace(rng)
    write_json(folder / "w.json", left)
    verb = pick(rng, ("combine", "combine", "prune", "rename"))
    kinds = {
        "--channel": [c["name"] for c in left["channels"]],
        "--sample": [s["name"] for c in left["channels"] for s in c["samples"]],
        "--modifier": [m["name"] for m in modifiers_of(left)],
        "--measurement": [m["name"] for m in left["measurements"]],
    }
    arguments = [verb, "w.json"]
    if verb == "combine":
        if chance(rng, 0.3):
            right = twist(rng, left)
        elif chance(rng, 0.7):
            for k, one in enumerate(right["channels"]):
                change = {one["name"]: f"{one['name']}_r{k}"}
                for o in (*right["channels"], *right["observations"]):
                    o["name"] = change.get(o["name"], o["name"])
        write_json(folder / "v.json", right)
        arguments.append("v.json")
        if chance(rng, 0.7):
            joins = ("outer", "outer", "left outer", "right outer", "none", "x")
            arguments += ["--join", pick(rng, joins)]
        if chance(rng, 0.3):
            arguments.append("--merge-channels")
    else:
        for _ in range(int(rng.integers(1, 4))):
            option = pick(rng, list(kinds))
            old = _word(rng, *(kinds[option] or ["x"]))
            new = pick(rng, (*NAMES, "mu", *(kinds[option] or ["x"])))
            arguments += [option, old if verb == "prune" else f"{old}={new}"]
        if verb == "prune" and chance(rng, 0.2):
            arguments += ["--modifier-type", _word(rng, "normsys", "staterror")]
    return _output(rng, Case(verb, arguments), verb)


def events_case(rng: Rng, folder: Path) -> Case:
    """Hostile events for a sound unbinned model."""
    document = odd_files.unbinned(rng) if chance(rng, 0.1) else SOUND[int(rng.integers(len(SOUND)))]
    write_json(folder / "u.json", document)
    verb = pick(rng, (*["fit"] * 8, "hypotest", "significance", "scan-poi"))
    if chance(rng, 0.03):  # it throws toys, too
        verb = "limit"
    arguments = [verb, "u.json", "--data", odd_files.odd_events(rng, folder), "--threads", "1"]
    if chance(rng, 0.9):
        arguments.append("--unblind")
    if verb == "scan-poi":
        arguments += ["--points", "3"]
    return _output(rng, Case("events", arguments), verb)


def unbinned_case(rng: Rng, folder: Path) -> Case:
    """An odd unbinned document."""
    write_json(folder / "u.json", odd_files.unbinned(rng))
    verb = pick(rng, ("inspect", "inspect", "inspect", "digest", "fit", "fit", "fit", "hypotest",
                      "significance", "gof", "rank", "scan", "prune"))  # fmt: skip
    if chance(rng, 0.02):
        verb = "limit"
    arguments = [verb, "u.json"]
    outputs = []
    if verb in _FITS:
        arguments += ["--threads", "1"]
        if chance(rng, 0.7):
            arguments.append(pick(rng, ("--unblind", "--unblind", "--blind")))
        if chance(rng, 0.1):
            arguments += ["--poi", _word(rng, "c", "mu", "nb")]
    if verb == "scan":
        arguments += ["-o", "out", "--workers", "1"]
        outputs.append("out")
    if verb == "prune":
        arguments += ["-c", "model"]
    return _output(rng, Case("unbinned", arguments, outputs), verb)


def sidecar_case(rng: Rng, folder: Path) -> Case:
    """Odd labels beside a workspace; half of the cases draw a figure."""
    document = odd_workspace(rng) if chance(rng, 0.3) else foreign_searches.background()
    write_json(folder / "w.json", document)
    write_json(folder / "w.meta.json", odd_files.sidecar(rng, document))
    verb = pick(rng, ("fit", "limit", "inspect", "inspect"))
    arguments = [verb, "w.json"]
    if chance(rng, 0.15):
        arguments += ["--plot", pick(rng, ("prefit=f.png", "data=f.png", "f.png", "pulls=f.svg"))]
    case = Case("sidecar", arguments, ["f.png", "f.svg"])
    if chance(rng, 0.4):
        case.arguments.append("--json")
    return case


def mangled_case(rng: Rng, folder: Path) -> Case:
    """Any value of any document changed, under any verb."""
    background = foreign_searches.background()
    document: Any = pick(rng, (background, foreign_searches.patch_set(["m"], [[1], [2]])))
    document = pick(rng, (document, odd_workspace(rng), {"workspace": background}, [document]))
    write_json(folder / "w.json", twist(rng, document, int(pick(rng, (1, 1, 2, 5)))))
    verb = pick(rng, ("inspect", "digest", "fit", "limit", "gof", "plot", "export", "prune"))
    arguments = [verb, "w.json"]
    if verb == "plot":
        arguments += ["-o", "f.png"]
    elif verb == "export":
        arguments += ["--csv", "f.csv"]
    elif verb == "prune":
        arguments += ["-s", "signal"]
    return _output(rng, Case("mangled", arguments, ["f.png", "f.csv"]), verb)


def record_case(rng: Rng, folder: Path) -> Case:
    """A record with values changed, drawn again or exported."""
    name, record = pick(rng, RECORDS)
    if chance(rng, 0.9):
        record = twist(rng, record, int(pick(rng, (1, 1, 2, 4))))
    write_json(folder / name, record)
    if name == "scan.json" and chance(rng, 0.5):
        if chance(rng, 0.5):
            return Case("export", ["export", name, "--csv", "f.csv"], ["f.csv"])
        arguments = ["export", name, "--hepdata", "sub"]
        if chance(rng, 0.5):
            arguments += ["--sqrt-s", _word(rng, "10.58"), "--reaction", pick(rng, NAMES)]
        return Case("export", arguments, ["sub"])
    arguments = ["plot", name, "-o", pick(rng, FIGURES.get(name, ("f.png",)))]
    if chance(rng, 0.2):
        arguments += ["--value-range", _word(rng, "0.1", "1"), _word(rng, "10", "0")]
    if chance(rng, 0.2):
        arguments += ["--note", pick(rng, NAMES)]
    if chance(rng, 0.1):
        arguments += ["--constraints", _word(rng, "none", "catalogue")]
    if chance(rng, 0.3):
        arguments.append("--csv")
    return Case("redraw", arguments, ["f.png", "f.csv", "f.svg"])


def global_case(rng: Rng, folder: Path) -> Case:
    """A global significance of a scan of odd values."""
    write_json(folder / "scan" / "scan.json", twist(rng, dict(RECORDS)["scan.json"]))
    write_json(folder / "w.json", odd_workspace(rng))
    source = pick(rng, ("scan", "scan", "w.json", "nix"))
    arguments = ["global", source, "-o", "out", "--toys", pick(rng, ("10", "0", "-1", "x"))]
    arguments += ["--workers", "1"]
    return Case("global", arguments, ["out"])


def _signal_table(rng: Rng, folder: Path, document: Document) -> str:
    """The yields of a signal: words, or a file of one of the three kinds, now and then odd."""
    size = {c["name"]: len(c["samples"][0]["data"]) for c in document["channels"]}
    names = list(size)[: int(rng.integers(1, 3))]
    if chance(rng, 0.1):
        names.append(pick(rng, NAMES))
    kind = pick(rng, ("words", "csv", "json", "yaml"))
    if kind == "words":
        name = pick(rng, names)
        return f"{name}={','.join(_word(rng, '1', '2.5', '0') for _ in range(size.get(name, 1)))}"
    if kind == "csv":
        more = pick(rng, ("", "stat", "scale", "theory_up,theory_down", "stat,stat", "efficiency"))
        columns = ["channel", "bin", "yield", *(more.split(",") if more else [])]
        if chance(rng, 0.1):
            columns.insert(0, "hypothesis")
        rows = [",".join(columns)]
        for name in names:
            for k in range(size.get(name, 1)):
                row = {"channel": name, "bin": _word(rng, str(k)), "hypothesis": _word(rng, "m_1")}
                rows.append(",".join(row.get(c, _word(rng, "1", "0.1", "2")) for c in columns))
        (folder / "s.csv").write_text("\n".join(rows), "utf-8", errors="replace")
        return "s.csv"
    table: Any = {}
    for name in names:
        yields = [pick(rng, (1.0, 2.5, 0.0, pick(rng, NUMBERS))) for _ in range(size.get(name, 1))]
        table[name] = pick(rng, (yields, {"yields": yields}, {"yields": yields, "stat": yields}))
        if isinstance(table[name], dict) and chance(rng, 0.5):
            odd = pick(rng, (0.1, {"up": yields, "down": yields}, [0.1] * len(yields)))
            table[name]["systematics"] = {pick(rng, ("scale", "own", *NAMES[:9])): odd}
    if chance(rng, 0.4):
        table = twist(rng, table)
    write_json(folder / f"s.{kind}", table)  # JSON is YAML, too
    return f"s.{kind}"


def reinterpret_case(rng: Rng, folder: Path) -> Case:
    """A signal of one's own in an odd likelihood."""
    document = odd_workspace(rng) if chance(rng, 0.4) else foreign_searches.background()
    write_json(folder / "w.json", document)
    arguments = ["reinterpret", "w.json"]
    for _ in range(int(pick(rng, (1, 1, 1, 2)))):
        arguments += ["--signal", _signal_table(rng, folder, document)]
    if chance(rng, 0.8):
        arguments += ["--missing", pick(rng, ("keep", "mask", "drop", "keep", "nix"))]
    if chance(rng, 0.15):
        arguments += ["--sigma", _word(rng, "1", "20"), "--lumi", _word(rng, "10", "140")]
    if chance(rng, 0.1):
        arguments += ["--name", _word(rng, "new", "bkg")]
    case = Case("reinterpret", arguments)
    if chance(rng, 0.1):
        case.arguments += ["--write-patch", "patch.json"]
        case.outputs.append("patch.json")
    case.arguments += _options(rng, "limit", document)
    return _output(rng, case, "reinterpret")


_CARD: Document = {
    "name": "own",
    "simulated": True,
    "file": "h.csv",
    "luminosity": {"value_ifb": 50, "relative_error": 0.01},
    "channels": {
        "SR": {
            "axis": "m (GeV)",
            "data": "data",
            "samples": {
                "signal": {"histogram": "sig", "free": "mu", "lumi": True},
                "bkg": {
                    "histogram": "bkg",
                    "yields": {"trigger": 0.02},
                    "variations": {"scale": {"up": "up", "down": "down"}},
                },
            },
        },
        "CR": {"data": {"counts": [210]}, "samples": {"bkg": {"counts": [200], "free": "k"}}},
    },
}


def template_case(rng: Rng, folder: Path) -> Case:
    """Odd histograms, or an odd card, made into a likelihood."""
    card = twist(rng, _CARD, int(pick(rng, (1, 1, 2)))) if chance(rng, 0.6) else _CARD
    write_json(folder / "card.yaml", card)
    rows = ["histogram,low,high,value,error"]
    for name, size in (("data", 12), ("sig", 3), ("bkg", 12), ("up", 13), ("down", 11)):
        for k in range(3):
            value = str(size) if chance(rng, 0.97) else _word(rng, str(size))
            rows.append(f"{name},{k},{k + 1},{value},{0.0 if name == 'data' else 0.5}")
    if chance(rng, 0.2):
        rows[int(rng.integers(len(rows)))] = pick(rng, ("", ",,,,", "a,b", "sig,0,1,1,1,1"))
    (folder / "h.csv").write_text("\n".join(rows), "utf-8", errors="replace")
    case = Case("template", ["template", "build", "card.yaml", "-o", "out"], ["out"])
    if chance(rng, 0.4):
        case.arguments.append("--json")
    return case


def shards_case(rng: Rng, folder: Path) -> Case:
    """The plan of a sharded scan; or a shard of a plan that was changed."""
    write_json(folder / "w.json", foreign_searches.background())
    if chance(rng, 0.5):
        write_json(folder / "set.json", odd_files.patch_set(rng))
        words = ["shards", "plan", "w.json", "--patchset", "set.json", "-o", "out"]
        return Case("shards", words, ["out"])
    (folder / "job").mkdir()
    write_json(folder / "job" / "job.json", twist(rng, PLAN))
    (folder / "job" / "inputs.json.gz").write_bytes(INPUTS[0])
    verb = pick(rng, ("run", "merge"))
    words = ["shards", verb, pick(rng, ("job", "job", "job", "nix"))]
    if verb == "run":
        words += ["--shard", _word(rng, "0", "1"), "--of", _word(rng, "1", "2")]
    return Case("shards", words, ["job"])


def coupling_case(rng: Rng, folder: Path) -> Case:
    """A coupling by odd cross sections."""
    document = foreign_searches.background()
    document["channels"][0]["samples"].append(foreign_searches.operations(3.0)[0]["value"])
    write_json(folder / "w.json", document)
    kind = pick(rng, ("csv", "yaml", "json", "words"))
    model = f"x.{kind}"
    if kind == "words":
        formulas = (
            "12.3*g**2/mass_gev**2",
            "g**2",
            "9*g**4",
            "g**2/log(1+mass_gev)",
            "exp(g)/mass_gev",
            "g**4*log(mass_gev)",
            "g*",
        )
        model = f"sigma_fb = {_word(rng, *formulas)}"
    elif kind == "csv":
        rows = ["mass_gev,cross_section_fb,reference_coupling,power"]
        rows += [f"{m},{_word(rng, str(9 / m))},{_word(rng, '0.1')},2" for m in (1, 2, 3)]
        if chance(rng, 0.3):
            rows[int(rng.integers(4))] = pick(
                rng, ("", ",,", "mass,x", "# coupling: \u202eg", "2,1")
            )
        (folder / model).write_text("\n".join(rows), "utf-8", errors="replace")
    else:
        rows = [{"mass_gev": m, "cross_section_fb": 9 / m, "reference_coupling": 0.1, "power": 2}
                for m in (1, 2, 3)]  # fmt: skip
        table: Any = pick(rng, ({"table": rows}, {"expression": "sigma_fb = 9*g**2/mass_gev"}))
        table |= {"coupling": "g", "unit_signal": pick(rng, ("reference", "2.5 fb", "g=0.1"))}
        write_json(folder / model, twist(rng, table) if chance(rng, 0.6) else table)
    arguments = ["limit", "w.json", "--cross-sections", model]
    if chance(rng, 0.8):
        signals = ("reference", "2.5 fb", "g=0.1", "2.5 fb", "g=0.1", "g=0", "1 barn", "= fb")
        arguments += ["--unit-signal", _word(rng, *signals)]
    if chance(rng, 0.8):
        arguments += ["--mass", _word(rng, "2", "2.5", "1", "1.5", "2", "m=2", "1.8 GeV")]
    return _output(rng, Case("coupling", [*arguments, "--threads", "1"]), "limit")


def _sealed(files: dict[str, bytes]) -> dict[str, bytes]:
    """With checksums made again, so that more than these find what was changed."""
    made = dict(files)
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        manifest = json.loads(made["manifest.json"])
        for entry in manifest["files"]:
            data = made.get(entry["name"], b"")
            entry |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        made["manifest.json"] = json.dumps(manifest).encode()
    rows = [f"{hashlib.sha256(d).hexdigest()}  {n}\n" for n, d in sorted(made.items())
            if n != "SHA256SUMS"]  # fmt: skip
    made["SHA256SUMS"] = "".join(rows).encode()
    return made


def verify_case(rng: Rng, folder: Path) -> Case:
    """A bundle of which files were changed, moved, lost or added."""
    files = dict(BUNDLE)
    for _ in range(int(pick(rng, (1, 1, 2)))):
        name = pick(rng, list(files))
        body = files[name]
        if name.endswith(".json") and chance(rng, 0.9):
            with contextlib.suppress(ValueError):
                body = json.dumps(twist(rng, json.loads(body))).encode()
        elif chance(rng, 0.7):
            lines = body.decode("utf-8", "replace").split("\n")
            at = int(rng.integers(len(lines)))
            cells = lines[at].split(",")
            cells[int(rng.integers(len(cells)))] = _word(rng, "1", "0.5", "SR")
            lines[at] = ",".join(cells)
            body = "\n".join(lines).encode("utf-8", "replace")
        else:
            body = pick(rng, (b"", body[: len(body) // 2], body + b"\x00", b"\xff\xfe"))
        files[name] = body
        if chance(rng, 0.1):
            del files[name]
        elif chance(rng, 0.05):
            files[f"{_path_of(pick(rng, NAMES))}.json"] = files[name]
    if chance(rng, 0.6):
        files = _sealed(files)
    for name, body in files.items():
        path = folder / "bundle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    arguments = ["verify", "bundle", "--workers", "1"]
    if chance(rng, 0.9):
        arguments += ["--points", _word(rng, "0", "1")]
    return _output(rng, Case("verify", arguments), "scan")


def _path_of(name: str) -> str:
    """A name that a file may have here."""
    text = name.encode("utf-8", "replace").decode().replace("/", "_").replace("\x00", "")
    return text[:40] or "empty"


def publish_case(rng: Rng, folder: Path) -> Case:
    """A likelihood, signals and limits of odd kind, made into a bundle."""
    background = foreign_searches.background()
    plain = foreign_searches.patch_set(["m"], [[1.0], [2.0], [3.0]])
    write_json(folder / "w.json", background if chance(rng, 0.7) else odd_workspace(rng))
    write_json(folder / "set.json", plain if chance(rng, 0.6) else odd_files.patch_set(rng))
    if chance(rng, 0.5):
        write_json(folder / "w.meta.json", odd_files.sidecar(rng, background))
    arguments = ["publish", "w.json", "-o", pick(rng, ("out", "out", "out", "w.json", "nix/out"))]
    if chance(rng, 0.85):
        arguments += ["--patchset", "set.json"]
    if chance(rng, 0.6):
        record = SCANNED if chance(rng, 0.4) else twist(rng, SCANNED)
        write_json(folder / "limits.json", record)
        arguments += ["--scan", "limits.json"]
    if chance(rng, 0.4):
        arguments += ["--author", pick(rng, ("A. Uthor", *NAMES))]
    case = Case("publish", arguments, ["out", "nix"])
    if chance(rng, 0.4):
        case.arguments.append("--json")
    return case


_DATACARD = """imax *
jmax *
kmax *
---------------
{shapes}bin SR CR
observation {seen} 210
---------------
bin SR SR CR
process sig bkg bkg
process 0 1 1
rate 5.0 {rate} 200
---------------
lumi lnN 1.02 1.02 1.02
scale lnN - 0.9/1.15 1.05
{line}
"""

_CARD_LINES = (
    "stat gmN 12 - 1.0 -", "norm rateParam CR bkg 1 [0,5]", "SR autoMCStats 10", "u lnU - 2 2",
    "stat gmN 12 - 0.7 -", "a param 0 1", "g group = lumi scale", "nuisance edit freeze lumi",
    "nuisance edit add bkg SR extra lnN 1.1", "shape1 shape - 1 -", "norm rateParam * bkg @0*2 x",
    "x lnN - 0.2 -", "x lnN", "x gmN -1 - 1 -", "* autoMCStats 0", "x discrete", "kmax 3", "rate 1",
    "nuisance edit rename bkg SR scale other", "x gmN 1e30 - 1 -", "norm extArg 1 [0,5]", "",
)  # fmt: skip


def convert_case(rng: Rng, folder: Path) -> Case:
    """An odd datacard, or two of them joined."""
    words = []
    for k in range(int(pick(rng, (1, 1, 1, 2)))):
        text = _DATACARD.format(
            shapes=pick(rng, ("", "", "shapes * SR FAKE\n", "shapes * * h.root $PROCESS\n")),
            seen=_word(rng, "12", "0", "-1"),
            rate=_word(rng, "12.5", "0", "1e-3"),
            line=pick(rng, _CARD_LINES),
        )
        lines = text.split("\n")
        if chance(rng, 0.5):
            at = int(rng.integers(len(lines)))
            cells = lines[at].split(" ")
            cells[int(rng.integers(len(cells)))] = _word(rng, "1", "SR", "bkg", "lnN", "1/2", "-")
            lines[at] = " ".join(cells)
        if chance(rng, 0.1):
            lines[int(rng.integers(len(lines)))] = pick(rng, ("", "-----", "\u202e", "x" * 4000))
        text = "\n".join(lines)
        (folder / f"c{k}.txt").write_text(text, "utf-8", errors="replace")
        words.append(f"c{k}.txt" if k == 0 else f"{_word(rng, 'ch', '.')}=c{k}.txt")
    case = Case("convert", ["convert", *words, "-o", "out"], ["out"])
    if chance(rng, 0.1):
        case.arguments += ["--mass", _word(rng, "125", "1")]
    if chance(rng, 0.1):
        case.arguments += ["--statistics", _word(rng, "shared", "own")]
    if chance(rng, 0.4):
        case.arguments.append("--json")
    return case


def contour_case(rng: Rng, folder: Path) -> Case:
    """Contours of odd scans over two masses."""
    words = []
    for k in range(int(pick(rng, (1, 1, 2)))):
        record = RECORDS[0][1]
        if chance(rng, 0.8):
            record = twist(rng, record, int(pick(rng, (1, 1, 2, 4))))
        write_json(folder / f"scan{k}.json", record)
        words.append(f"{pick(rng, ('A', 'B', *NAMES[:6]))}=scan{k}.json" if k else "scan0.json")
    arguments = ["contour", *words]
    if chance(rng, 0.3):
        arguments += ["--interpolate", _word(rng, "mu", "cls")]
    if chance(rng, 0.3):
        arguments += ["--x", _word(rng, "m1", "m2", "m1-m2"), "--y", _word(rng, "m2", "m1")]
    if chance(rng, 0.2):
        arguments += ["--where", f"{_word(rng, 'm1', 'm2')}={_word(rng, '500', '100')}"]
    if chance(rng, 0.2):
        arguments += ["--ignore", _word(rng, "m1", "m2")]
    if chance(rng, 0.2):
        arguments += ["--failed", _word(rng, "point", "scan")]
    if chance(rng, 0.4):
        arguments += ["--curves", "f.csv"]
    if chance(rng, 0.02):
        arguments += ["--plot", "f.png"]
    return _output(rng, Case("contour", arguments, ["f.csv", "f.png"]), "scan")


def simplify_case(rng: Rng, folder: Path) -> Case:
    """A simplified likelihood of an odd workspace."""
    document = odd_workspace(rng)
    write_json(folder / "w.json", document)
    arguments = ["simplify", "w.json"]
    if chance(rng, 0.3):
        arguments += ["--response", _word(rng, "auto", "linear", "quadratic")]
    if chance(rng, 0.2):
        arguments += ["--moments", _word(rng, "fit", "toys"), "--toys", _word(rng, "50", "200")]
    if chance(rng, 0.2):
        arguments += ["--tolerance", _word(rng, "0.1", "10")]
    if chance(rng, 0.2):
        arguments += ["--keep", pick(rng, [c["name"] for c in document["channels"]])]
    return _output(rng, Case("simplify", [*arguments, "--threads", "1"]), "simplify")


def hs3_case(rng: Rng, folder: Path) -> Case:
    """A likelihood of bins as an HS3 document, changed, under any verb."""
    import darkstats
    from darkstats.model.hs3_writing import hs3_document

    document: Any = HS3[int(rng.integers(len(HS3)))]
    if chance(rng, 0.5):
        write_json(folder / "w.json", odd_workspace(rng))
        with contextlib.suppress(darkstats.DarkstatsError):
            document = hs3_document(darkstats.read_workspace(folder / "w.json"))
    if chance(rng, 0.8):
        document = twist(rng, document, int(pick(rng, (1, 1, 2, 4))))
    write_json(folder / "h.json", document)
    verb = pick(
        rng, ("inspect", "fit", "fit", "limit", "hypotest", "gof", "significance", "digest")
    )
    arguments = [verb, "h.json"]
    if chance(rng, 0.2):
        arguments += ["--point", _word(rng, "meas")]
    if verb not in {"inspect", "digest"}:
        arguments += ["--threads", "1"]
    return _output(rng, Case("hs3", arguments), verb)


def recast_case(rng: Rng, folder: Path) -> Case:
    """An odd curve as a limit on another mediator."""
    models = {"dark_photon": "epsilon", "b_minus_l": "g_BL", "lmu_ltau": "gprime"}
    source = pick(rng, list(models))
    odd = ("mass_gev;epsilon", "m,g", "", "mass_mev,eps", "mass_GeV,g_agg_UL95_GeV^-1")
    rows = [f"mass_gev,{models[source]}" if chance(rng, 0.9) else pick(rng, odd)]
    rows += [
        f"{_word(rng, *[str(0.25 + 0.7 * k)] * 9)},{_word(rng, *('1e-3', '5e-4', '0.1') * 3)}"
        for k in range(int(pick(rng, (2, 3, 6))))
    ]
    if chance(rng, 0.1):
        rows.append(pick(rng, ("0.5,1e-3", ",,", "# \u202e", "nan,1")))
    (folder / "c.csv").write_text("\n".join(rows), "utf-8", errors="replace")
    wanted = (*models, *models, "baryon", "protophobic", "alp_photon", "dark_higgs_mixing")
    arguments = ["recast", "c.csv", "--to", _word(rng, *wanted)]
    if chance(rng, 0.9):
        arguments += ["--from", source if chance(rng, 0.9) else pick(rng, wanted)]
    made = ("radiative", "electron", "muon", "muon", "mumu", "proton", "photon", "b_to_k",
            "b_to_kstar")  # fmt: skip
    arguments += ["--production", _word(rng, *made)]
    seen = ("ee", "mumu", "mumu", "hadrons", "leptons", "visible", "invisible", "gammagamma")
    arguments += ["--final-state", _word(rng, *seen)]
    if chance(rng, 0.9):
        arguments += ["--cl", _word(rng, "0.9", "0.95")]
    if chance(rng, 0.3):
        ends = [_word(rng, "0", "1", "1e3"), _word(rng, "9", "inf", "1e3")]
        arguments += ["--decay-window", ":".join(ends)]
    if chance(rng, 0.2):
        arguments += ["--dark-matter", _word(rng, "0.1", "1"), _word(rng, "0.5", "1e-3")]
    if chance(rng, 0.2):
        arguments += ["--masses", _word(rng, "0.2", "1"), _word(rng, "3", "1")]
    if chance(rng, 0.2):
        arguments += ["--intervals", "f.csv"]
    if chance(rng, 0.02):
        arguments += ["--plot", "f.png"]
    return _output(rng, Case("recast", arguments, ["f.csv", "f.png"]), "scan")


SOUND: list[Document] = []
SCANNED: Document = {}
BUNDLE: dict[str, bytes] = {}
HS3: list[Document] = []
PLAN: Document = {}
INPUTS: list[bytes] = []
RECORDS: list[tuple[str, Document]] = []
FIGURES: dict[str, tuple[str, ...]] = {
    "scan.json": ("limits=f.png", "p_values=f.png", "expected=f.svg", "observed=f.png", "f.png"),
    "limit.json": ("f.png", "limit=f.png", "cls=f.png"),
}

MIX: tuple[tuple[int, Callable[[Rng, Path], Case]], ...] = (
    (50, workspace_case), (6, data_case), (7, patch_case), (5, patch_set_case), (3, create_case),
    (2, scan_case), (12, edit_case), (6, events_case), (6, unbinned_case), (2, sidecar_case),
    (4, mangled_case), (1, record_case), (6, reinterpret_case), (3, template_case),
    (1, shards_case), (2, publish_case), (2, verify_case), (2, coupling_case),
    (3, convert_case), (2, contour_case), (2, simplify_case), (2, hs3_case), (2, recast_case),
)  # fmt: skip
"""Weights; those that draw figures are rare, because they cost a hundred times the others."""


def make(rng: Rng, folder: Path) -> Case:
    """Write the files of a case and return it."""
    if chance(rng, 0.001):
        (folder / "scan").mkdir()
        return global_case(rng, folder)
    draw = int(rng.integers(sum(weight for weight, _ in MIX)))
    for weight, build in MIX:
        draw -= weight
        if draw < 0:
            return build(rng, folder)
    raise AssertionError


def prepare(folder: Path, run: Callable[[list[str]], dict[str, Any]]) -> None:
    """Make the sound records and models that cases begin with; ``run`` runs a command line."""
    import numpy as np

    import darkstats
    import unbinned_models
    from darkstats.model.hs3_writing import hs3_document

    SOUND[:] = [unbinned_models.bump(), odd_files.unbinned(np.random.default_rng(5))]
    background = folder / "w.json"
    write_json(background, foreign_searches.background())
    plane = [[500, 100], [500, 200], [600, 100], [600, 200]]
    for k, (labels, values) in enumerate(((["m1", "m2"], plane), (["m"], [[1.0], [2.0], [3.0]]))):
        write_json(folder / "set.json", foreign_searches.patch_set(labels, values))
        where = folder / f"scan{k}"
        words = ["scan", str(background), "--patchset", str(folder / "set.json")]
        end = run([*words, "-o", str(where), "--workers", "1"])
        assert end["status"] == 0, end
        RECORDS.append(("scan.json", json.loads((where / "scan.json").read_text("utf-8"))))
    PLAN.update(json.loads((where / "job.json").read_text("utf-8")))
    INPUTS[:] = [(where / "inputs.json.gz").read_bytes()]
    SCANNED.update(RECORDS[-1][1])
    words = ["publish", str(background), "--patchset", str(folder / "set.json")]
    end = run([*words, "--scan", str(where), "-o", str(folder / "bundle")])
    assert end["status"] == 0, end
    for path in sorted((folder / "bundle").rglob("*")):
        if path.is_file():
            BUNDLE[path.relative_to(folder / "bundle").as_posix()] = path.read_bytes()
    signal = foreign_searches.background()
    signal["channels"][0]["samples"].append(foreign_searches.operations(3.0)[0]["value"])
    write_json(background, signal)
    HS3[:] = [json.loads(d) for n, d in BUNDLE.items() if n.endswith(".hs3.json")]
    HS3.append(hs3_document(darkstats.read_workspace(background)))
    for name, words in (
        ("limit.json", ["limit"]),
        ("limit.json", ["limit", "--calculator", "toys", "--toys", "1000"]),
        ("scan_poi.json", ["scan-poi", "--points", "5"]),
        ("fit.json", ["fit"]),
    ):
        record = folder / name
        end = run([words[0], str(background), *words[1:], "-o", str(record)])
        assert end["status"] == 0, end
        RECORDS.append((name, json.loads(record.read_text("utf-8"))))
