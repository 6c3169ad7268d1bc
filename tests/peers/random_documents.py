"""Random models that go wrong: workspaces and unbinned documents, by class and number.

A document depends on its class, its number and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Document = dict[str, Any]
Generator = np.random.Generator


def _rounded(values: Any) -> list[float]:
    return [float(f"{value:.6g}") for value in np.atleast_1d(values)]


class _Workspace:
    """A workspace under way: channels of samples, each with modifiers."""

    def __init__(self, rng: Generator, bins: list[int], *, level: float) -> None:
        self.rng = rng
        self.poi: dict[str, Any] = {"name": "mu", "inits": [1.0], "bounds": [[0.0, 10.0]]}
        self.parameters: list[dict[str, Any]] = []
        self.channels: list[dict[str, Any]] = []
        self.counts: list[Any] = []
        for c, n in enumerate(bins):
            background = level * np.exp(rng.normal(0.0, 0.7, n))
            signal = np.sqrt(background + 1.0) * np.exp(rng.normal(0.0, 0.8, n))
            signal *= rng.uniform(0.2, 2.0)
            samples = [self._sample("signal", signal), self._sample("background", background)]
            samples[0]["modifiers"].append({"name": "mu", "type": "normfactor", "data": None})
            if rng.random() < 0.4:
                other = background * rng.uniform(0.1, 1.0) * np.exp(rng.normal(0.0, 0.5, n))
                samples.append(self._sample("other", other))
            self.channels.append({"name": f"channel{c}", "samples": samples})

    @staticmethod
    def _sample(name: str, data: Any) -> dict[str, Any]:
        return {"name": name, "data": _rounded(data), "modifiers": []}

    def samples(self, *names: str) -> list[dict[str, Any]]:
        """The samples of these names, in all channels."""
        every = [sample for channel in self.channels for sample in channel["samples"]]
        return [sample for sample in every if not names or sample["name"] in names]

    def normsys(self, name: str, hi: float, lo: float, *samples: str) -> None:
        """One normsys on the named samples."""
        for sample in self.samples(*samples):
            data = {"hi": float(f"{hi:.6g}"), "lo": float(f"{lo:.6g}")}
            sample["modifiers"].append({"name": name, "type": "normsys", "data": data})

    def histosys(self, name: str, up: Any, down: Any, *samples: str) -> None:
        """One histosys: relative shifts up and down, which may be functions of the bin number."""
        for sample in self.samples(*samples):
            nominal = np.array(sample["data"])
            place = np.arange(len(nominal)) / max(len(nominal) - 1, 1)
            hi = np.maximum(nominal * (1.0 + up(place)), 0.0)
            lo = np.maximum(nominal * (1.0 + down(place)), 0.0)
            data = {"hi_data": _rounded(hi), "lo_data": _rounded(lo)}
            sample["modifiers"].append({"name": name, "type": "histosys", "data": data})

    def staterror(self, size: float) -> None:
        """Statistical uncertainties, one set a channel."""
        for c, channel in enumerate(self.channels):
            for sample in channel["samples"][1:]:
                error = np.sqrt(np.abs(sample["data"])) * size
                sample["modifiers"].append(
                    {"name": f"stat{c}", "type": "staterror", "data": _rounded(error)}
                )

    def shapesys(self, size: float) -> None:
        """Uncorrelated uncertainties on the background of each channel."""
        for c, channel in enumerate(self.channels):
            sample = channel["samples"][1]
            error = np.array(sample["data"]) * size * self.rng.uniform(0.3, 1.5)
            sample["modifiers"].append(
                {"name": f"shape{c}", "type": "shapesys", "data": _rounded(error)}
            )

    def normfactor(self, name: str, low: float, high: float, *samples: str) -> None:
        """A free factor."""
        for sample in self.samples(*samples):
            sample["modifiers"].append({"name": name, "type": "normfactor", "data": None})
        self.parameters.append({"name": name, "inits": [1.0], "bounds": [[low, high]]})

    def lumi(self, width: float) -> None:
        """A luminosity on the signal, and on the background at times."""
        names = ("signal",) if self.rng.random() < 0.5 else ()
        for sample in self.samples(*names):
            sample["modifiers"].append({"name": "lumi", "type": "lumi", "data": None})
        self.parameters.append(
            {
                "name": "lumi",
                "inits": [1.0],
                "bounds": [[0.0, 10.0]],
                "auxdata": [1.0],
                "sigmas": [width],
            }
        )

    def some_nuisances(self, most: int = 4) -> None:
        """Ordinary uncertainties of any kind."""
        rng = self.rng
        for k in range(int(rng.integers(0, most + 1))):
            size = float(rng.uniform(0.02, 0.4))
            name = f"nuisance{k}"
            what = rng.integers(0, 4)
            if what == 0:
                self.normsys(name, 1.0 + size, 1.0 / (1.0 + size), "background")
            elif what == 1:
                self.normsys(name, 1.0 + size, 1.0 - 0.8 * size, "signal")
            elif what == 2:
                sign = rng.choice([-1.0, 1.0])
                self.histosys(
                    name,
                    lambda x, s=size, t=sign: t * s * (2.0 * x - 0.7),
                    lambda x, s=size, t=sign: -t * s * (1.8 * x - 0.6),
                    "background",
                )
            else:
                self.normsys(name, 1.0 + size, 1.0 - 0.7 * size)
        what = rng.random()
        if what < 0.2:
            self.staterror(float(rng.uniform(0.2, 1.0)))
        elif what < 0.4:
            self.shapesys(float(rng.uniform(0.05, 0.5)))
        if rng.random() < 0.15:
            self.lumi(float(rng.uniform(0.01, 0.2)))

    def observe(self, strength: float = 0.0, *, pull: float = 0.0) -> None:
        """Counts drawn at the nominal yields with ``strength`` of signal, shifted by ``pull``."""
        self.counts = []
        for channel in self.channels:
            mean = np.zeros(len(channel["samples"][0]["data"]))
            for sample in channel["samples"]:
                factor = strength if sample["name"] == "signal" else 1.0
                mean += factor * np.array(sample["data"])
            mean = np.maximum(mean, 0.0)
            mean = np.maximum(mean + pull * np.sqrt(mean + 1.0), 0.0)
            self.counts.append(self.rng.poisson(np.minimum(mean, 1e12)).astype(float))

    def document(self) -> Document:
        """The workspace."""
        return {
            "version": "1.0.0",
            "channels": self.channels,
            "observations": [
                {"name": channel["name"], "data": [float(n) for n in counts]}
                for channel, counts in zip(self.channels, self.counts, strict=True)
            ],
            "measurements": [
                {
                    "name": "measurement",
                    "config": {
                        "poi": self.poi["name"],
                        "parameters": [self.poi, *self.parameters],
                    },
                }
            ],
        }


def _begun(rng: Generator, *, low: float = 0.5, high: float = 300.0) -> _Workspace:
    bins = [int(rng.integers(1, 7)) for _ in range(int(rng.integers(1, 4)))]
    return _Workspace(rng, bins, level=float(np.exp(rng.uniform(math.log(low), math.log(high)))))


def ordinary(rng: Generator) -> Document:
    """Nothing odd."""
    made = _begun(rng)
    made.some_nuisances()
    made.observe(float(rng.choice([0.0, 0.0, 1.0])))
    return made.document()


def degenerate(rng: Generator) -> Document:
    """Two or three parameters with the same effect, constrained or free."""
    made = _begun(rng)
    size = float(rng.uniform(0.05, 0.6))
    for name in ("twin1", "twin2", "twin3")[: int(rng.integers(2, 4))]:
        made.normsys(name, 1.0 + size, 1.0 / (1.0 + size), "background")
    if rng.random() < 0.3:
        made.normfactor("free1", 0.0, 5.0, "background")
    if rng.random() < 0.2:
        made.normfactor("free2", 0.0, 5.0, "background")
    if rng.random() < 0.3:
        made.normsys("signal1", 1.0 + size, 1.0 - 0.5 * size, "signal")
        made.normsys("signal2", 1.0 + size, 1.0 - 0.5 * size, "signal")
    made.observe(float(rng.choice([0.0, 1.0])), pull=float(rng.normal(0.0, 1.0)))
    return made.document()


def empty(rng: Generator) -> Document:
    """No event anywhere, or in most bins; bins and samples without yield."""
    made = _begun(rng, low=0.01, high=5.0)
    made.some_nuisances(2)
    made.observe()
    what = rng.integers(0, 3)
    for counts, channel in zip(made.counts, made.channels, strict=True):
        if what == 0:
            counts[:] = 0.0
        elif what == 1:
            counts[rng.random(len(counts)) < 0.7] = 0.0
        dead = rng.random(len(counts)) < 0.2
        if what == 2:
            counts[dead] = 0.0
            for sample in channel["samples"]:
                sample["data"] = [
                    0.0 if gone else value for gone, value in zip(dead, sample["data"], strict=True)
                ]
                for modifier in sample["modifiers"]:
                    for key in ("hi_data", "lo_data"):
                        if modifier["type"] == "histosys":
                            modifier["data"][key] = [
                                0.0 if gone else value
                                for gone, value in zip(dead, modifier["data"][key], strict=True)
                            ]
    return made.document()


def holes(rng: Generator) -> Document:
    """Bins without signal, bins without background, with and without events there."""
    made = _begun(rng, low=0.3, high=30.0)
    for channel in made.channels:
        n = len(channel["samples"][0]["data"])
        no_signal, no_background = rng.random(n) < 0.3, rng.random(n) < 0.25
        for sample in channel["samples"]:
            gone = no_signal if sample["name"] == "signal" else no_background
            sample["data"] = [
                0.0 if hole else value for hole, value in zip(gone, sample["data"], strict=True)
            ]
    made.some_nuisances(3)
    made.observe(float(rng.choice([0.0, 0.0, 0.5])))
    return made.document()


def one_sided(rng: Generator) -> Document:
    """Variations that go the same way up and down."""
    made = _begun(rng, low=2.0)
    for k in range(int(rng.integers(1, 4))):
        size = float(rng.uniform(0.05, 0.6)) * float(rng.choice([-0.8, 1.0]))
        ratio = float(rng.uniform(0.0, 1.0))
        if rng.random() < 0.5:
            made.histosys(
                f"side{k}",
                lambda x, s=size: s * (0.3 + x),
                lambda x, s=size, r=ratio: s * r * (0.3 + x),
                str(rng.choice(["background", "signal"])),
            )
        else:
            made.normsys(f"side{k}", 1.0 + size, 1.0 + ratio * size, "background")
    made.some_nuisances(1)
    made.observe(pull=float(rng.normal(0.0, 2.0)))
    return made.document()


def extreme_errors(rng: Generator) -> Document:
    """Uncertainties of 100 % and more, strongly asymmetric ones, ends of ranges."""
    made = _begun(rng, low=1.0, high=100.0)
    for k in range(int(rng.integers(1, 4))):
        what = rng.integers(0, 4)
        names = [(), ("signal",), ("background",)][int(rng.integers(0, 3))]
        if what == 0:
            made.normsys(f"huge{k}", float(rng.uniform(1.5, 3.0)), 0.01, *names)
        elif what == 1:
            made.normsys(
                f"huge{k}", float(rng.uniform(1.5, 8.0)), float(rng.uniform(0.1, 0.9)), *names
            )
        elif what == 2:
            made.histosys(f"huge{k}", lambda x: 1.0 + x, lambda x: -1.0 + 0.0 * x, *names)
        else:
            made.histosys(f"huge{k}", lambda x: 1.5 * x - 0.6, lambda x: 0.6 - 1.5 * x, *names)
    if rng.random() < 0.3:
        made.shapesys(float(rng.uniform(0.5, 1.5)))
    made.observe(pull=float(rng.normal(0.0, 1.5)))
    return made.document()


def sizes(rng: Generator) -> Document:
    """Yields from 1e-6 to 1e8, within one model, too."""
    made = _begun(rng, low=1e-6, high=1e8)
    if rng.random() < 0.5:
        for sample in made.samples("background", "other"):
            data = np.array(sample["data"])
            sample["data"] = _rounded(
                np.clip(data * 10.0 ** rng.uniform(-4, 4, len(data)), 1e-6, 1e8)
            )
    made.some_nuisances(3)
    made.observe()
    return made.document()


def units(rng: Generator) -> Document:
    """Signal yields in units from 1e-9 to 1e9."""
    made = _begun(rng)
    factor = 10.0 ** float(rng.uniform(-9.0, 9.0))
    for sample in made.samples("signal"):
        sample["data"] = _rounded(np.array(sample["data"]) * factor)
    made.some_nuisances(3)
    made.observe(pull=float(rng.normal(0.0, 1.0)))
    return made.document()


def far(rng: Generator) -> Document:
    """Data far from the model, above or below."""
    made = _begun(rng, low=3.0)
    made.some_nuisances()
    if rng.random() < 0.5:
        made.observe(pull=float(rng.choice([-1.0, 1.0])) * float(rng.uniform(3.0, 12.0)))
    else:
        made.observe(float(rng.uniform(5.0, 30.0)))
    return made.document()


def ranges(rng: Generator) -> Document:
    """Ranges of the signal strength that are no help; the strength on background, too."""
    made = _begun(rng, low=3.0)
    what = rng.integers(0, 4)
    if what == 0:
        made.poi["bounds"] = [[-float(rng.uniform(0.1, 5.0)), float(rng.uniform(0.5, 20.0))]]
        made.poi["inits"] = [0.3]
    elif what == 1:
        made.poi["bounds"] = [[0.0, float(rng.uniform(1.0, 1.5))]]
    elif what == 2:
        for sample in made.samples("other"):
            sample["modifiers"].append({"name": "mu", "type": "normfactor", "data": None})
    else:
        made.poi["bounds"] = [[0.0, 1e4]]
        made.poi["inits"] = [float(rng.choice([0.0, 5e3]))]
    if rng.random() < 0.5:
        made.normfactor("free", 0.5, float(rng.uniform(1.01, 1.5)), "background")
    made.some_nuisances(3)
    made.observe(float(rng.choice([0.0, 2.0])), pull=float(rng.normal(0.0, 2.0)))
    return made.document()


def interference(rng: Generator) -> Document:
    """Samples with negative yields; sums that stay positive, or not."""
    made = _begun(rng, low=5.0, high=200.0)
    depth = float(rng.uniform(0.05, 0.6))
    what = rng.integers(0, 2)
    for channel in made.channels:
        background = np.array(channel["samples"][1]["data"])
        if what == 0:
            negative = -depth * background * rng.random(len(background))
            channel["samples"].append(made._sample("weights", negative))
        else:
            signal = channel["samples"][0]
            data = np.array(signal["data"])
            flip = rng.random(len(data)) < 0.4
            signal["data"] = _rounded(np.where(flip, -0.3 * data, data))
    made.some_nuisances(2)
    made.observe()
    return made.document()


def correlated(rng: Generator) -> Document:
    """One parameter on several samples and channels in several ways; bin-wise factors."""
    made = _begun(rng, low=3.0)
    size = float(rng.uniform(0.05, 0.4))
    made.normsys("shared", 1.0 + size, 1.0 / (1.0 + size), "signal")
    made.histosys(
        "shared", lambda x: size * (x - 0.4), lambda x: -0.8 * size * (x - 0.4), "background"
    )
    if rng.random() < 0.4:
        made.staterror(float(rng.uniform(0.3, 1.2)))
    if len(made.channels) > 1 and rng.random() < 0.5:
        first = made.channels[0]
        n = len(first["samples"][0]["data"])
        for channel in made.channels[1:]:
            if len(channel["samples"][0]["data"]) == n:
                for sample in (first["samples"][1], channel["samples"][1]):
                    modifier = {"name": "free_shape", "type": "shapefactor", "data": None}
                    if modifier not in sample["modifiers"]:
                        sample["modifiers"].append(modifier)
    made.some_nuisances(3)
    made.observe(float(rng.choice([0.0, 1.0])))
    return made.document()


def counting(rng: Generator) -> Document:
    """One bin, background known: everything has an exact answer."""
    background = float(rng.choice([0.3, 1.0, 3.0, 7.5, 20.0])) * float(rng.uniform(0.7, 1.4))
    made = _Workspace(rng, [1], level=background)
    for sample in made.samples():
        sample["data"] = [1.0 if sample["name"] == "signal" else float(f"{background:.4g}")]
    made.channels[0]["samples"] = made.channels[0]["samples"][:2]
    made.observe(float(rng.choice([0.0, 0.0, 3.0])))
    if rng.random() < 0.2:
        made.counts[0][:] = 0.0
    return made.document()


# --------------------------------------------------------------------------- unbinned


def _unbinned(
    summands: list[Document],
    coefficients: list[str],
    parameters: list[tuple[str, float, float, float]],
    functions: list[Document],
    *,
    events: Any,
    axis: tuple[float, float] = (0.0, 1.0),
    constrained: dict[str, float] | None = None,
) -> Document:
    constrained = constrained or {}
    return {
        "metadata": {"hs3_version": "0.2"},
        "distributions": [
            {
                "name": "model",
                "type": "mixture_dist",
                "extended": True,
                "summands": [item["name"] for item in summands],
                "coefficients": coefficients,
            },
            *summands,
            *(
                {
                    "name": f"constraint_{name}",
                    "type": "gaussian_dist",
                    "x": f"aux_{name}",
                    "mean": name,
                    "sigma": width,
                }
                for name, width in constrained.items()
            ),
        ],
        "functions": functions,
        "data": [
            {
                "name": "observed",
                "type": "unbinned",
                "axes": [{"name": "x", "min": axis[0], "max": axis[1]}],
                "entries": [[float(x)] for x in events],
            }
        ],
        "likelihoods": [
            {
                "name": "likelihood",
                "distributions": ["model"],
                "data": ["observed"],
                "aux_distributions": [f"constraint_{name}" for name in constrained],
            }
        ],
        "domains": [
            {
                "name": "ranges",
                "type": "product_domain",
                "axes": [{"name": n, "min": a, "max": b} for n, _, a, b in parameters],
            }
        ],
        "parameter_points": [
            {
                "name": "start",
                "parameters": [
                    *({"name": n, "value": v} for n, v, _, _ in parameters),
                    *({"name": f"aux_{n}", "value": 0.0, "const": True} for n in constrained),
                ],
            }
        ],
        "analyses": [
            {
                "name": "analysis",
                "likelihood": "likelihood",
                "parameters_of_interest": ["mu"],
                "domains": ["ranges"],
                "init": "start",
            }
        ],
        "misc": {"darkstats": {"simulated": True}},
    }


def _function(name: str, text: str) -> Document:
    return {"name": name, "type": "generic_function", "expression": text}


def _falling(rng: Generator, n: int, slope: float) -> Any:
    u = rng.random(n)
    if abs(slope) < 1e-6:
        return u
    return -np.log(1.0 - u * (1.0 - math.exp(-slope))) / slope


def _peak(rng: Generator, n: int, mean: float, sigma: float) -> Any:
    x = rng.normal(mean, sigma, 4 * n + 20)
    return x[(x > 0.0) & (x < 1.0)][:n]


def _bump(rng: Generator, n_background: float, n_signal: float) -> Document:
    slope = float(rng.uniform(-3.0, 6.0))
    mean, sigma = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0.01, 0.1))
    events = np.concatenate(
        [
            _falling(rng, int(rng.poisson(n_background)), slope),
            _peak(rng, int(rng.poisson(n_signal)), mean, sigma),
        ]
    )
    unit = max(1.0, math.sqrt(n_background)) * float(rng.uniform(0.3, 2.0))
    summands = [
        {"name": "peak", "type": "gaussian_dist", "x": "x", "mean": mean, "sigma": sigma},
        {"name": "smooth", "type": "exponential_dist", "x": "x", "c": "slope"},
    ]
    parameters = [
        ("mu", 1.0, 0.0, 50.0),
        ("n_smooth", max(n_background, 0.5), 0.0, 10.0 * n_background + 50.0),
        ("slope", slope, -10.0, 15.0),
    ]
    constrained = {}
    text = f"mu * {unit:.6g}"
    if rng.random() < 0.5:
        parameters.append(("eff", 0.0, -5.0, 5.0))
        constrained["eff"] = 1.0
        text += f" * exp({rng.uniform(0.02, 0.3):.4g} * eff)"
    functions = [_function("n_peak", text)]
    return _unbinned(
        summands,
        ["n_peak", "n_smooth"],
        parameters,
        functions,
        events=events,
        constrained=constrained,
    )


def bump(rng: Generator) -> Document:
    """A peak on an exponential, 20 to 2000 events."""
    n = float(np.exp(rng.uniform(math.log(20.0), math.log(2000.0))))
    return _bump(rng, n, float(rng.choice([0.0, 0.0, 1.0])) * math.sqrt(n))


def few_events(rng: Generator) -> Document:
    """The same with no event, or a few."""
    return _bump(rng, float(rng.choice([0.5, 2.0, 6.0])), float(rng.choice([0.0, 0.0, 2.0])))


def negative_coefficients(rng: Generator) -> Document:
    """Interference: a term of negative yield that grows with the signal strength."""
    n = float(np.exp(rng.uniform(math.log(15.0), math.log(800.0))))
    slope = float(rng.uniform(0.2, 3.0))
    mean, sigma = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.03, 0.1))
    unit = math.sqrt(n) * float(rng.uniform(0.2, 1.0))
    depth = unit * float(rng.uniform(0.2, 3.0))
    events = _falling(rng, int(rng.poisson(n)), slope)
    other = slope + float(rng.uniform(-0.8, 0.8))
    summands = [
        {"name": "peak", "type": "gaussian_dist", "x": "x", "mean": mean, "sigma": sigma},
        {"name": "inter", "type": "exponential_dist", "x": "x", "c": other},
        {"name": "smooth", "type": "exponential_dist", "x": "x", "c": slope},
    ]
    parameters = [("mu", 1.0, 0.0, 50.0), ("n_smooth", n, 0.0, 20.0 * n + 50.0)]
    functions = [
        _function("n_peak", f"mu * {unit:.6g}"),
        _function("n_inter", f"-{depth:.6g} * mu"),
    ]
    return _unbinned(
        summands, ["n_peak", "n_inter", "n_smooth"], parameters, functions, events=events
    )


def polynomials(rng: Generator) -> Document:
    """A peak on Chebyshev, Bernstein or plain polynomials whose coefficients may be negative."""
    n = float(np.exp(rng.uniform(math.log(20.0), math.log(1000.0))))
    mean, sigma = float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.02, 0.08))
    unit = math.sqrt(n) * float(rng.uniform(0.3, 2.0))
    events = _falling(rng, int(rng.poisson(n)), float(rng.uniform(-1.5, 1.5)))
    peak = {"name": "peak", "type": "gaussian_dist", "x": "x", "mean": mean, "sigma": sigma}
    parameters = [("mu", 1.0, 0.0, 50.0), ("n_smooth", n, 0.0, 10.0 * n + 50.0)]
    what = rng.integers(0, 3)
    smooth: Document
    if what == 0:
        text = "1 + c1*(2*x-1) + c2*(2*(2*x-1)**2-1)"
        smooth = {"name": "smooth", "type": "generic_dist", "expression": text}
        parameters += [("c1", -0.1, -1.0, 1.0), ("c2", 0.05, -1.0, 1.0)]
    elif what == 1:
        smooth = {
            "name": "smooth",
            "type": "polynomial_dist",
            "x": "x",
            "coefficients": [1.0, "a1", "a2"],
        }
        parameters += [("a1", -0.2, -2.0, 2.0), ("a2", 0.1, -2.0, 2.0)]
    else:
        smooth = {
            "name": "smooth",
            "type": "bernstein_poly_dist",
            "x": "x",
            "coefficients": [1.0, "b1", "b2"],
        }
        parameters += [("b1", 0.8, -0.5, 5.0), ("b2", 0.9, -0.2, 5.0)]
    functions = [_function("n_peak", f"mu * {unit:.6g}")]
    return _unbinned([peak, smooth], ["n_peak", "n_smooth"], parameters, functions, events=events)


def templates(rng: Generator) -> Document:
    """A peak, or a histogram as signal, on a histogram; bins of the histogram may be empty."""
    n = float(np.exp(rng.uniform(math.log(5.0), math.log(500.0))))
    bins = int(rng.integers(3, 9))
    contents = rng.gamma(2.0, 5.0, bins)
    if rng.random() < 0.3:
        contents[int(rng.integers(0, bins))] = 0.0
    total = int(rng.poisson(n))
    place = rng.choice(bins, total, p=contents / contents.sum())
    events = (place + rng.random(total)) / bins
    if rng.random() < 0.3:
        events = np.concatenate([events, rng.random(2)])
    unit = math.sqrt(n) * float(rng.uniform(0.3, 2.0))
    peak: Document = {
        "name": "peak",
        "type": "gaussian_dist",
        "x": "x",
        "mean": float(rng.uniform(0.2, 0.8)),
        "sigma": float(rng.uniform(0.03, 0.2)),
    }
    smooth = {
        "name": "smooth",
        "type": "histogram_dist",
        "data": {
            "axes": [{"name": "x", "min": 0.0, "max": 1.0, "nbins": bins}],
            "contents": _rounded(contents),
        },
    }
    parameters = [
        ("mu", 1.0, 0.0, 50.0),
        ("n_smooth", n, 0.0, 10.0 * n + 50.0),
        ("eff", 0.0, -5.0, 5.0),
    ]
    text = f"mu * {unit:.6g} * exp({rng.uniform(0.02, 0.5):.4g} * eff)"
    return _unbinned(
        [peak, smooth],
        ["n_peak", "n_smooth"],
        parameters,
        [_function("n_peak", text)],
        events=events,
        constrained={"eff": 1.0},
    )


def steep(rng: Generator) -> Document:
    """Slopes so steep that no background is expected under the peak, with events there or not."""
    slope = float(10.0 ** rng.uniform(1.3, 2.7))
    n = float(rng.uniform(5.0, 60.0))
    mean, sigma = float(rng.uniform(0.5, 0.95)), 0.01
    events = _falling(rng, int(rng.poisson(n)), slope)
    if rng.random() < 0.5:
        events = np.concatenate([events, _peak(rng, int(rng.integers(1, 4)), mean, sigma)])
    unit = float(rng.uniform(1.0, 10.0))
    summands = [
        {"name": "peak", "type": "gaussian_dist", "x": "x", "mean": mean, "sigma": sigma},
        {"name": "smooth", "type": "exponential_dist", "x": "x", "c": slope},
    ]
    parameters = [("mu", 1.0, 0.0, 20.0), ("n_smooth", n, 0.0, 1000.0)]
    functions = [_function("n_peak", f"{unit:.6g} * mu")]
    return _unbinned(summands, ["n_peak", "n_smooth"], parameters, functions, events=events)


CLASSES: dict[str, Callable[[Generator], Document]] = {
    "ordinary": ordinary,
    "degenerate": degenerate,
    "empty": empty,
    "holes": holes,
    "one-sided": one_sided,
    "extreme errors": extreme_errors,
    "sizes": sizes,
    "units": units,
    "far": far,
    "ranges": ranges,
    "interference": interference,
    "correlated": correlated,
    "counting": counting,
    "bump": bump,
    "few events": few_events,
    "negative coefficients": negative_coefficients,
    "polynomials": polynomials,
    "templates": templates,
    "steep": steep,
}


UNBINNED = ("bump", "few events", "negative coefficients", "polynomials", "templates", "steep")


def random_document(name: str, number: int, seed: int = 0) -> Document:
    """Document ``number`` of a class."""
    place = list(CLASSES).index(name)
    return CLASSES[name](np.random.default_rng([seed, place, number]))
