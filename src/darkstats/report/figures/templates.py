"""Spectra of a built search, and the variations of a window's templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkstats.report.figures.style import (
    BLACK,
    BLUE,
    GREY,
    PALETTE,
    VERMILION,
    Drawing,
    canvas,
    plain_name,
    style,
    typeset,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from darkstats.arrays import FloatArray, IndexArray

__all__ = ["plane_figure", "spectra_figure", "variations_figure"]

_BINS = 100  # of a drawn spectrum
_SIZE = 10.0


def _title(axes: Axes, left: str, right: str) -> None:
    axes.text(0.0, 1.01, plain_name(left), transform=axes.transAxes, fontsize=_SIZE)
    axes.text(1.0, 1.01, right, transform=axes.transAxes, fontsize=_SIZE, ha="right")


def _density(values: FloatArray, n: int, first: IndexArray, widths: FloatArray) -> FloatArray:
    """Events per unit in coarse bins, other dimensions summed over."""
    import numpy as np

    summed = np.asarray(values).reshape(-1, n).sum(axis=0)
    return np.asarray(np.add.reduceat(summed, first) / widths)


def spectra_figure(
    document: Mapping[str, Any], sidecar: Mapping[str, Any], *, name: str
) -> Drawing:
    """Background-only spectra, stacked by process, with the simulated data.

    Parameters
    ----------
    document, sidecar
        Background-only workspace of a build, and its sidecar.
    name
        Of the search.
    """
    import numpy as np

    observations = {o["name"]: np.array(o["data"]) for o in document["observations"]}
    channels = [
        c for c in document["channels"] if "edges" in sidecar["channels"].get(c["name"], {})
    ]
    columns: dict[str, list[Any]] = {"channel": [], "low": [], "high": [], "data": [], "total": []}
    with style():
        across = min(3, len(channels))
        down = -(-len(channels) // across)
        figure = canvas(1.0 + 4.4 * across, 3.9 * down + 0.4)
        handles: dict[str, Any] = {}
        for k, channel in enumerate(channels):
            facts = sidecar["channels"][channel["name"]]
            edges = np.array(facts["edges"])
            axes = figure.add_subplot(down, across, k + 1)
            step = max(1, (len(edges) - 1) // _BINS)
            first = np.arange(0, len(edges) - 1, step)
            bounds = np.append(edges[first], edges[-1])
            widths = np.diff(bounds)

            samples = sorted(channel["samples"], key=lambda s: float(np.sum(s["data"])))
            base = np.zeros(len(widths))
            for sample in samples:
                top = base + _density(sample["data"], len(edges) - 1, first, widths)
                color = PALETTE[sorted(s["name"] for s in samples).index(sample["name"]) % 10]
                handles[plain_name(sample["name"])] = axes.stairs(
                    top, bounds, baseline=base, fill=True, color=color
                )
                base = top
            data = _density(observations[channel["name"]], len(edges) - 1, first, widths)
            filled = data > 0.0
            handles["simulated data"] = axes.errorbar(
                (0.5 * (bounds[1:] + bounds[:-1]))[filled], data[filled],
                yerr=np.sqrt(data[filled] / widths[filled]), color=BLACK, marker="o",
                markersize=2.0, linewidth=0.7, linestyle="none",
            )  # fmt: skip
            axes.set_yscale("log")
            peak = float(max(base.max(), data.max(), 1e-9))
            axes.set_ylim(max(1e-4 * peak, 0.3 * float(base[base > 0.0].min())), 3.0 * peak)
            axes.set_xlim(float(bounds[0]), float(bounds[-1]))
            axes.set_xlabel(typeset(facts["axis"]))
            if k % across == 0:
                axes.set_ylabel("events / GeV$^2$")
            axes.text(
                0.96, 0.95, typeset(facts["label"]), transform=axes.transAxes, ha="right",
                va="top",
            )  # fmt: skip
            if k == 0:
                _title(axes, name, "simulated")
            columns["channel"] += [channel["name"]] * len(widths)
            columns["low"] += bounds[:-1].tolist()
            columns["high"] += bounds[1:].tolist()
            columns["data"] += data.tolist()
            columns["total"] += base.tolist()
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center",
            ncols=min(len(handles), 3 if across == 1 else 6),
        )  # fmt: skip
    return Drawing(figure=figure, columns=columns)


def _cells_of_plane(facts: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Dimuon mass, GeV, and squared recoil mass, GeV^2, at the centres of cells. Shapes [cell]."""
    import numpy as np

    mass_edges = np.array(facts["m_mumu_edges_gev"])
    rapidity_edges = np.array(facts["rapidity_edges"])
    runs = np.array(facts["cells"]).reshape(-1, 2)
    index = np.concatenate([np.arange(start, start + n) for start, n in runs])
    column, row = np.divmod(index, len(rapidity_edges) - 1)
    mass = np.sqrt(mass_edges[1:] * mass_edges[:-1])[column]
    rapidity = (0.5 * (rapidity_edges[1:] + rapidity_edges[:-1]))[row]
    total = float(facts["cm_energy_gev"])
    square = total**2 + mass**2 - 2.0 * total * mass * np.cosh(rapidity)
    return mass, square


def plane_figure(document: Mapping[str, Any], sidecar: Mapping[str, Any], *, name: str) -> Drawing:
    """Expected background of the plane in colour, with the simulated events on it."""
    import numpy as np
    from matplotlib.colors import LogNorm

    channel = document["channels"][0]
    mass, recoil = _cells_of_plane(sidecar["channels"][channel["name"]])
    events = np.sum([s["data"] for s in channel["samples"]], axis=0)
    data = np.array(document["observations"][0]["data"])
    x = np.arange(mass.min() - 0.1, mass.max() + 0.2, 0.1)
    y = np.arange(np.floor(recoil.min()), recoil.max() + 0.5, 0.5)
    total = np.histogram2d(mass, recoil, bins=(x, y), weights=events)[0]
    filled = data > 0.0
    with style():
        figure = canvas(6.6, 5.0)
        axes = figure.add_subplot()
        floor = max(float(total.max()) * 1e-4, 1e-6)
        mesh = axes.pcolormesh(
            x, y, np.where(total > floor, total, np.nan).T, cmap="cividis",
            norm=LogNorm(floor, float(total.max())), rasterized=True,
        )  # fmt: skip
        figure.colorbar(mesh, ax=axes, label="expected events in 0.1 GeV × 0.5 GeV$^2$ (simulated)")
        diagonal = np.linspace(0.0, 12.0, 200)
        axes.plot(
            diagonal, diagonal**2, color=GREY, linestyle="--", linewidth=1.0, label="equal masses"
        )
        axes.scatter(
            mass[filled], recoil[filled], s=3.0 * data[filled], facecolor="none",
            edgecolor=VERMILION, linewidth=0.5, label="simulated events", rasterized=True,
        )  # fmt: skip
        axes.set_xlim(float(x[0]), float(x[-1]))
        axes.set_ylim(float(y[0]), float(y[-1]))
        axes.set_xlabel("dimuon mass [GeV]")
        axes.set_ylabel("squared recoil mass [GeV$^2$]")
        axes.legend(loc="upper right")
        _title(axes, name, "simulated")
    columns = {
        "m_mumu_gev": mass.tolist(),
        "m_recoil_squared_gev2": recoil.tolist(),
        "expected": events.tolist(),
        "data": data.tolist(),
    }
    return Drawing(figure=figure, columns=columns)


def _varied(sample: Mapping[str, Any]) -> list[tuple[str, FloatArray, FloatArray]]:
    """Contents at minus and plus one sigma of each systematic error of a sample."""
    import numpy as np

    nominal = np.array(sample["data"], dtype=float)
    found = []
    for modifier in sample["modifiers"]:
        data = modifier["data"]
        if modifier["type"] == "histosys":
            pair = np.array(data["lo_data"], float), np.array(data["hi_data"], float)
        elif modifier["type"] == "normsys":
            pair = nominal * data["lo"], nominal * data["hi"]
        elif modifier["type"] == "staterror":
            error = np.array(data, float)
            pair = nominal - error, nominal + error
        else:
            continue
        found.append((modifier["name"], *pair))
    return found


def variations_figure(document: Mapping[str, Any], *, name: str, simulated: bool) -> Drawing:
    """Every variation of every template over its nominal, one panel a sample."""
    import numpy as np

    panels = [
        (channel["name"], sample)
        for channel in document["channels"]
        for sample in channel["samples"]
        if _varied(sample)
    ]
    columns: dict[str, list[Any]] = {
        key: [] for key in ("channel", "sample", "modifier", "bin", "low", "high")
    }
    with style():
        across = min(3, max(1, len(panels)))
        down = max(1, -(-len(panels) // across))
        figure = canvas(0.8 + 4.2 * across, 3.2 * down + 0.5)
        for k, (channel, sample) in enumerate(panels):
            axes = figure.add_subplot(down, across, k + 1)
            nominal = np.array(sample["data"], dtype=float)
            safe = np.where(nominal > 0.0, nominal, np.nan)
            bins = np.arange(len(nominal) + 1) + 0.5
            reach = 0.02
            for number, (modifier, low, high) in enumerate(_varied(sample)):
                color = PALETTE[number % len(PALETTE)]
                axes.stairs(high / safe, bins, color=color, linewidth=1.4, baseline=None)
                axes.stairs(low / safe, bins, color=color, linewidth=1.4, linestyle="--",
                            baseline=None)  # fmt: skip
                axes.plot([], [], color=color, label=plain_name(modifier))
                change = np.abs(np.concatenate([low / safe, high / safe]) - 1.0)
                reach = max(reach, float(np.nanmax(change, initial=0.0)))
                columns["channel"] += [channel] * len(nominal)
                columns["sample"] += [sample["name"]] * len(nominal)
                columns["modifier"] += [modifier] * len(nominal)
                columns["bin"] += list(range(len(nominal)))
                columns["low"] += low.tolist()
                columns["high"] += high.tolist()
            axes.axhline(1.0, color=BLUE, linewidth=0.6)
            reach = min(reach, 1.0)
            axes.set_ylim(1.0 - 1.15 * reach, 1.0 + 2.4 * reach)
            axes.set_xlim(0.5, len(nominal) + 0.5)
            axes.set_xlabel("bin")
            if k % across == 0:
                axes.set_ylabel("variation / nominal")
            axes.legend(loc="upper left", ncols=2, fontsize=7.5)
            _title(
                axes, f"{sample['name']} in {channel}",
                ("simulated, " if simulated else "") + "solid +1σ, dashed −1σ" if k == 0 else "",
            )  # fmt: skip
        figure.supxlabel(plain_name(name), fontsize=_SIZE, color=GREY)
    return Drawing(figure=figure, columns=columns)
