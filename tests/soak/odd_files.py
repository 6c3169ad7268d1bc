"""Files of odd meaning: events, unbinned documents, patches, patch sets, sidecars, records."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from tests.soak.odd_documents import NAMES, NUMBERS, Document, Rng, chance, pick, twist

import foreign_searches
import unbinned_models

VALUES = (0.0, 1.0, 0.5, -1.0, 2.0, np.nan, np.inf, -np.inf, 1e300, 5e-324, 1e-9, 0.999999)


def write_json(path: Path, document: Any) -> None:
    """As JSON; half surrogates of names are escaped."""
    path.write_text(json.dumps(document), "utf-8")


# --- events -----------------------------------------------------------------------------------


def column(rng: Rng) -> Any:
    """One column of odd kind, length and values."""
    n = int(pick(rng, (0, 1, 2, 7, 50, 300)))
    values = rng.uniform(0.0, 1.0, n)
    if n and chance(rng, 0.4):
        values[int(rng.integers(n))] = pick(rng, VALUES)
    kinds: tuple[Any, ...] = (
        values, values, values, values.astype("f4"), values.astype("f2"), (values * 9).astype("i8"),
        (values * 9).astype("u1"), values > 0.5, values.astype(">f8"), values.astype("c16"),
        values.astype("S8"), values.astype("U8"), (values * 9).astype("M8[s]"),
        (values * 9).astype("m8[ns]"), np.repeat(values, 2).reshape(-1, 2), np.full(n, 0.5),
    )  # fmt: skip
    return pick(rng, kinds)


def _storable(name: str) -> str:
    """A name that libraries write: no half surrogate, no NUL, not empty."""
    return name.encode("utf-8", "replace").decode().replace("\x00", "0") or "empty"


def _table(rng: Rng) -> dict[str, Any]:
    names = ["x"] if chance(rng, 0.8) else []
    if chance(rng, 0.3):
        names.append(_storable(pick(rng, NAMES)))
    if chance(rng, 0.1):
        names.append("weight")
    return {name: column(rng) for name in names}


def _csv(rng: Rng, path: Path) -> None:
    table = _table(rng)
    lines = [",".join(table)]
    n = max((len(c) for c in table.values()), default=0)
    lines += [
        ",".join(str(c[k]) if k < len(c) else "" for c in table.values())
        for k in range(min(n, 100))
    ]
    if chance(rng, 0.3):
        odd = ("", ",", "nan", "1e999", "0x1p3", '"0.5"', "1,2,3", "½", "1_0", "# c", "x", "٣")
        lines.insert(int(rng.integers(len(lines) + 1)), pick(rng, odd))
    text = pick(rng, ("\n", "\n", "\r\n", "\r")).join(lines)
    coding = pick(rng, ("utf-8", "utf-8", "utf-8", "utf-16", "utf-8-sig", "latin-1"))
    path.write_bytes(text.encode(coding, "replace"))


def _npz(rng: Rng, path: Path) -> None:
    table = _table(rng)
    body = io.BytesIO()
    if chance(rng, 0.2):
        np.savez_compressed(body, **{k: v for k, v in table.items() if k != "file"})
    else:
        with zipfile.ZipFile(body, "w") as archive:
            for name, values in table.items():
                one = io.BytesIO()
                np.save(one, values, allow_pickle=False)
                archive.writestr(f"{name}.npy", one.getvalue())
            if chance(rng, 0.1):
                archive.writestr("x.npy", b"\x93NUMPY\x01\x00")
    path.write_bytes(_damaged(rng, body.getvalue()))


def _parquet(rng: Rng, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    n = int(pick(rng, (0, 1, 7, 50)))
    values = rng.uniform(0.0, 1.0, n)
    plain = pa.array(values)
    kinds = (
        plain, plain, pa.array(values.astype("f4")), pa.array([None] * n, pa.float64()),
        pa.array([str(v) for v in values]), pa.array([[v] for v in values]),
        pa.array([{"a": v} for v in values]), pa.array([True] * n),
        pa.array([int(9 * v) for v in values], pa.decimal128(9)),
        pa.array([int(9 * v) for v in values], pa.timestamp("ns")),
        pa.array([int(9 * v) for v in values], pa.duration("s")), plain.dictionary_encode(),
        pa.array([b"x"] * n), pa.array(values.astype("f2")), pa.nulls(n),
    )  # fmt: skip
    names = ["x", _storable(pick(rng, NAMES))] if chance(rng, 0.3) else ["x"]
    body = io.BytesIO()
    parquet.write_table(pa.table([pick(rng, kinds) for _ in names], names=names), body)
    path.write_bytes(_damaged(rng, body.getvalue()))


_TREES: list[bytes] = []


def _root(rng: Rng, path: Path) -> None:
    if not _TREES:
        import uproot

        for columns in (
            {"x": np.linspace(0.01, 0.99, 30)},
            {"x": np.arange(30) % 2 == 0},
            {"x": np.linspace(0, 1, 30).reshape(10, 3)},
            {"y": np.linspace(0, 1, 5)},
        ):
            made = path.with_name("made.root")
            with uproot.recreate(made) as file:
                file["events"] = columns
            _TREES.append(made.read_bytes())
            made.unlink()
    path.write_bytes(_damaged(rng, pick(rng, _TREES), 0.5))


def _npy(rng: Rng, path: Path) -> None:
    body = io.BytesIO()
    n = int(pick(rng, (0, 1, 20)))
    table = np.zeros(n, dtype=[("x", pick(rng, ("f8", "i4", "S3", "M8[s]", "f8"))), ("y", "f8")])
    np.save(body, pick(rng, (table, table, table["y"], table["y"].reshape(-1, 1))))
    path.write_bytes(_damaged(rng, body.getvalue()))


def _damaged(rng: Rng, data: bytes, probability: float = 0.15) -> bytes:
    if not data or not chance(rng, probability):
        return data
    cut = int(rng.integers(len(data)))
    flipped = data[:cut] + bytes([int(rng.integers(256))]) + data[cut + 1 :]
    return pick(rng, (data[:cut], flipped, flipped, b"", data + b"x", data[cut:]))


def odd_events(rng: Rng, folder: Path) -> str:
    """Write a file of events; its name."""
    kind, write = pick(
        rng, (("csv", _csv), ("csv", _csv), ("npz", _npz), ("npz", _npz), ("npy", _npy),
              ("parquet", _parquet), ("root", _root)),
    )  # fmt: skip
    if chance(rng, 0.03):
        kind = pick(rng, ("csv", "npz", "parquet", "root", "txt", "json"))
    write(rng, folder / f"events.{kind}")
    if chance(rng, 0.3):
        odd = pick(rng, ({"simulated": True}, {"simulated": 1}, [], {"simulated": None}, "x"))
        write_json(folder / "events.meta.json", odd)
    return f"events.{kind}" + (pick(rng, (":events", ":nix", ":")) if chance(rng, 0.05) else "")


# --- unbinned documents -----------------------------------------------------------------------

_PDFS: tuple[Document, ...] = (
    {"type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": "width"},
    {"type": "gaussian_dist", "x": "x", "mean": "c", "sigma": 0.1},
    {"type": "exponential_dist", "x": "x", "c": "c"},
    {"type": "exponential_dist", "x": "x", "c": 1e3},
    {"type": "uniform_dist", "x": ["x"]},
    {"type": "polynomial_dist", "x": "x", "coefficients": [0.0, 1.0]},
    {"type": "bernstein_poly_dist", "x": "x", "coefficients": [1.0, "c", 2.0]},
    {"type": "bernstein_poly_dist", "x": "x", "coefficients": [0.0, 0.0, 1e9]},
    {"type": "crystalball_dist", "m": "x", "m0": 0.5, "sigma": 0.1, "alpha": 1.5, "n": 2.0},
    {"type": "crystalball_dist", "m": "x", "m0": "c", "sigma": "width", "alpha": 0.1, "n": 100.0},
    {"type": "generic_dist", "expression": "1 + 0.1*c*(2*x - 1)"},
    {"type": "generic_dist", "expression": "(x - 0.31)**2"},
    {"type": "generic_dist", "expression": "exp(-0.5*((x-0.4217)/0.0008)**2)"},
    {"type": "generic_dist", "expression": "exp(-c*x)"},
)


def unbinned(rng: Rng) -> Document:
    """A small unbinned document: a sound one, or one with odd densities, ranges and starts."""
    n = int(pick(rng, (0, 1, 5, 40)))
    entries = [[float(v)] for v in rng.uniform(0.0, 1.0, n)]
    document = unbinned_models.outline(
        [
            {"name": "sig", **copy.deepcopy(pick(rng, _PDFS))},
            {"name": "bkg", **copy.deepcopy(pick(rng, _PDFS))},
            {"name": "con", "type": "gaussian_dist", "x": "aux", "mean": "alpha", "sigma": 1.0},
        ],
        [
            ("mu", pick(rng, (1.0, 0.0, 1.0)), 0.0, 10.0),
            ("nb", pick(rng, (10.0, 1000.0, 1.0)), 0.0, 1e5),
            ("c", 2.0, -5.0, 20.0),
            ("alpha", 0.0, -5.0, 5.0),
        ],
        yields={"sig": "nsig", "bkg": "nb"},
        functions=[
            {
                "name": "nsig",
                "type": "generic_function",
                "expression": pick(
                    rng,
                    (
                        "mu * 5 * exp(0.1 * alpha)",
                        "mu*5",
                        "mu",
                        "mu * 1e-300",
                        "mu*1e300",
                        "mu/alpha",
                        "sqrt(mu)",
                        "log(mu)",
                        "mu**0.5",
                        "mu - 1",
                        "mu*(1+alpha)",
                        "0*mu",
                        "5",
                        "mu*" + "(" * 30 + "1" + ")" * 30,
                        "mu^2^2",
                        "mu*x",
                        "__import__",
                        "exp(exp(mu))",
                        "mu;mu",
                        "mu*nix",
                    ),
                ),
            }
        ],
        constants=[("width", pick(rng, (0.1, 1e-3, 10.0, 1e-9))), ("aux", 0.0)],
        constraints=["con"],
        entries=entries if chance(rng, 0.8) else None,
    )
    if '"c"' not in json.dumps(document["distributions"]).replace("*c*", '"c"'):
        document["functions"][0]["expression"] += " + 0*c"
    return twist(rng, document, int(pick(rng, (0, 0, 1, 1, 2))))


# --- patches and patch sets -------------------------------------------------------------------


def patch(rng: Rng, k: int = 0) -> Any:
    """A patch of the stranger's background: sound, twisted, or of odd operations."""
    made: Any = foreign_searches.operations(float(pick(rng, (3.0, 5.0, 1e-9, 1e9, 0.0, -1.0))) + k)
    made[0]["value"]["name"] = f"signal{k}"
    if chance(rng, 0.3):
        odd = (
            {"op": "test", "path": "/version", "value": "1.0.0"},
            {"op": "remove", "path": "/channels/1"},
            {"op": "move", "from": "/channels/0", "path": "/channels/1"},
            {"op": "copy", "from": "/channels/0/samples/0", "path": "/channels/0/samples/-"},
            {"op": "copy", "from": "", "path": "/channels/0/samples/-"},
            {"op": "replace", "path": "/observations/0/data", "value": [0, 0]},
            {"op": "replace", "path": "/channels/0/samples/0/data/0", "value": pick(rng, NUMBERS)},
            {"op": "replace", "path": "", "value": {}},
            {"op": "add", "path": "/measurements/0/config/parameters/-", "value": {"name": "x"}},
            {"op": "add", "path": f"/{pick(rng, NAMES)}", "value": 1},
            {"op": "replace", "path": "/measurements/0/config/poi", "value": pick(rng, NAMES)},
        )
        for _ in range(int(rng.integers(1, 4))):
            made.insert(int(rng.integers(len(made) + 1)), copy.deepcopy(pick(rng, odd)))
    return twist(rng, made) if chance(rng, 0.2) else made


def patch_set(rng: Rng) -> Document:
    """A patch set with odd labels, values and names; sound in half of the cases."""
    n = int(pick(rng, (1, 2, 3, 5)))
    labels = pick(rng, (["mass_gev"], ["m1", "m2"], [pick(rng, NAMES)], ["a", "a"], ["m", "word"]))
    wild = chance(rng, 0.3)
    odd: tuple[Any, ...] = (1, 2.5, 1e300, -1, "bino", 0, "1", pick(rng, NAMES), 3, 500)
    values = [[pick(rng, odd) if wild else 100 * k + i for i in range(len(labels))]
              for k in range(n)]  # fmt: skip
    made = foreign_searches.patch_set(labels, values)
    if chance(rng, 0.3):
        made["patches"][0]["patch"] = patch(rng)
    if chance(rng, 0.3):
        made["patches"][0]["metadata"]["name"] = pick(rng, NAMES)
    return twist(rng, made) if chance(rng, 0.25) else made


def sidecar(rng: Rng, workspace: Document) -> Any:
    """Labels beside a workspace, one of them odd."""
    channels = {}
    for one in workspace["observations"]:
        n = len(one["data"])
        edges: list[Any] = [float(k) for k in range(n + 1)]
        if chance(rng, 0.3):
            edges[int(rng.integers(len(edges)))] = pick(rng, NUMBERS)
        axis = pick(rng, ("m [GeV]", *NAMES))
        channels[one["name"]] = {"label": pick(rng, ("SR", *NAMES)), "axis": axis, "edges": edges}
    made = {
        "schema": "darkstats.meta/1",
        "simulated": pick(rng, (True, False)),
        "title": pick(rng, ("title", *NAMES)),
        "poi_label": pick(rng, ("mu", *NAMES)),
        "channels": channels,
        "labels": {"mass_gev": {"title": pick(rng, NAMES), "unit": "GeV"}},
        "collision": {"sqrt_s_gev": 10.58, "beams": "e+ e-", "reaction": pick(rng, ("x", *NAMES))},
    }
    return twist(rng, made) if chance(rng, 0.4) else made
