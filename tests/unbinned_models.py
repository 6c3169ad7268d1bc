"""Small HS3 documents for tests: one writer of the outline, many densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from darkstats.model import Observation
from darkstats.model.unbinned.analyses import compile_hs3
from darkstats.model.unbinned.model import UnbinnedModel
from darkstats.workspace.hs3 import Hs3Document

Item = dict[str, Any]
Parameter = tuple[str, float, float, float]


def outline(
    distributions: Sequence[Item],
    parameters: Sequence[Parameter],
    *,
    yields: dict[str, str],
    axes: Sequence[tuple[str, float, float]] = (("x", 0.0, 1.0),),
    functions: Sequence[Item] = (),
    constants: Sequence[tuple[str, float]] = (),
    constraints: Sequence[str] = (),
    entries: Sequence[Sequence[float]] | None = None,
    poi: str | None = None,
) -> Item:
    """An HS3 document with one channel: ``yields`` names the coefficient of each summand."""
    return {
        "metadata": {"hs3_version": "0.2"},
        "distributions": [
            {
                "name": "model",
                "type": "mixture_dist",
                "extended": True,
                "summands": list(yields),
                "coefficients": list(yields.values()),
            },
            *distributions,
        ],
        "functions": list(functions),
        "data": [
            {
                "name": "observed",
                "type": "unbinned",
                "axes": [{"name": n, "min": a, "max": b} for n, a, b in axes],
                # Without the key no data are given; an empty list is a data set of no event.
                **({} if entries is None else {"entries": [list(entry) for entry in entries]}),
            }
        ],
        "likelihoods": [
            {
                "name": "likelihood",
                "distributions": ["model"],
                "data": ["observed"],
                **({"aux_distributions": list(constraints)} if constraints else {}),
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
                    *({"name": n, "value": v, "const": True} for n, v in constants),
                ],
            }
        ],
        "analyses": [
            {
                "name": "analysis",
                "likelihood": "likelihood",
                "parameters_of_interest": [poi or parameters[0][0]],
                "domains": ["ranges"],
                "init": "start",
            }
        ],
    }


def compiled(document: Item, **options: Any) -> UnbinnedModel:
    """The model of a document."""
    return compile_hs3(Hs3Document.from_document(document, "test"), **options)


def bump(**changes: Any) -> Item:
    """Gaussian of floating width on an exponential, the signal strength constrained in part."""
    return outline(
        [
            {"name": "sig", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": "width"},
            {"name": "bkg", "type": "exponential_dist", "x": "x", "c": "c"},
            {
                "name": "constraint",
                "type": "gaussian_dist",
                "x": "aux_alpha",
                "mean": "alpha",
                "sigma": 1.0,
            },
        ],
        [
            ("mu", 1.0, 0.0, 10.0),
            ("nb", 1000.0, 0.0, 1e5),
            ("c", 2.0, -5.0, 20.0),
            ("alpha", 0.0, -5.0, 5.0),
        ],
        yields={"sig": "nsig", "bkg": "nb"},
        functions=[
            {
                "name": "nsig",
                "type": "generic_function",
                "expression": "mu * 50 * exp(0.1 * alpha)",
            },
            {
                "name": "width",
                "type": "generic_function",
                "expression": "0.05 * (1 + 0.1 * alpha)",
            },
        ],
        constants=[("aux_alpha", 0.0)],
        constraints=["constraint"],
        **changes,
    )


def thrown(model: UnbinnedModel, point: np.ndarray, seed: int = 1) -> Observation:
    """One toy as an observation, auxiliary data as nominal."""
    lanes, _ = model.throw(point, np.random.default_rng(seed), 1)
    return Observation(counts=lanes.totals[0], auxdata=model.observation.auxdata, events=lanes)


def crystal_ball(**changes: Any) -> Item:
    """Double-sided Crystal Ball with seven floating slots on a Chebyshev polynomial."""
    return outline(
        [
            {
                "name": "sig",
                "type": "crystalball_doublesided_dist",
                "m": "x",
                **{k: k for k in ("m0", "sigma_L", "sigma_R", "alpha_L", "alpha_R", "n_L", "n_R")},
            },
            {
                "name": "bkg",
                "type": "generic_dist",
                "expression": "1 + c1 * (2*x - 1) + c2 * (2*(2*x - 1)**2 - 1)",
            },
        ],
        [
            ("ns", 200.0, 0.0, 2000.0),
            ("nb", 900.0, 0.0, 5000.0),
            ("c1", -0.4, -1.0, 1.0),
            ("c2", 0.1, -1.0, 1.0),
            ("m0", 0.5, 0.3, 0.7),
            ("sigma_L", 0.05, 0.02, 0.2),
            ("sigma_R", 0.06, 0.02, 0.2),
            ("alpha_L", 1.0, 0.5, 3.0),
            ("alpha_R", 1.2, 0.5, 3.0),
            ("n_L", 3.0, 1.5, 20.0),
            ("n_R", 4.0, 1.5, 20.0),
        ],
        yields={"sig": "ns", "bkg": "nb"},
        **changes,
    )


def bernstein(**changes: Any) -> Item:
    """One-sided Crystal Ball and a peaking Gaussian on Bernstein polynomials with own yields."""
    basis = ["(1-x)**2", "2*x*(1-x)", "x**2"]
    return outline(
        [
            {
                "name": "sig",
                "type": "crystalball_dist",
                "m": "x",
                "m0": "m0",
                "sigma": "sigma",
                "alpha": "alpha",
                "n": "n",
            },
            {"name": "peak", "type": "gaussian_dist", "x": "x", "mean": 0.3, "sigma": 0.04},
            *(
                {"name": f"b{k}", "type": "generic_dist", "expression": text}
                for k, text in enumerate(basis)
            ),
        ],
        [
            ("ns", 60.0, 0.0, 2000.0),
            ("n_peak", 40.0, 0.0, 500.0),
            ("n0", 500.0, 0.0, 5000.0),
            ("n1", 300.0, 0.0, 5000.0),
            ("n2", 200.0, 0.0, 5000.0),
            ("sigma", 0.05, 0.02, 0.2),
        ],
        yields={"sig": "ns", "peak": "n_peak", "b0": "n0", "b1": "n1", "b2": "n2"},
        constants=[("m0", 0.6), ("alpha", 1.4), ("n", 3.0)],
        **changes,
    )


def plane(**changes: Any) -> Item:
    """Two observables: Gaussian times Crystal Ball on a product of falling shapes."""
    return outline(
        [
            {"name": "sx", "type": "gaussian_dist", "x": "x", "mean": 0.5, "sigma": "width"},
            {
                "name": "sy",
                "type": "crystalball_dist",
                "m": "y",
                "m0": 1.0,
                "sigma": "width_y",
                "alpha": "a",
                "n": "n",
            },
            {"name": "sig", "type": "product_dist", "factors": ["sx", "sy"]},
            {"name": "bx", "type": "generic_dist", "expression": "1 + c * (2*x - 1)"},
            {"name": "by", "type": "exponential_dist", "x": "y", "c": "d"},
            {"name": "bkg", "type": "product_dist", "factors": ["bx", "by"]},
        ],
        [
            ("ns", 40.0, 0.0, 500.0),
            ("nb", 400.0, 0.0, 5000.0),
            ("c", -0.3, -1.0, 1.0),
            ("d", 0.8, -5.0, 5.0),
            ("width", 0.05, 0.02, 0.2),
        ],
        yields={"sig": "ns", "bkg": "nb"},
        axes=(("x", 0.0, 1.0), ("y", 0.0, 3.0)),
        functions=[{"name": "width_y", "type": "product", "factors": ["width", 4.0]}],
        constants=[("a", 1.5), ("n", 3.0)],
        **changes,
    )


def joint() -> Item:
    """An unbinned channel, a second one with a shared width, and a binned control region."""
    document = bump()
    document["distributions"] += [
        {
            "name": "second",
            "type": "mixture_dist",
            "extended": True,
            "summands": ["sig2", "flat"],
            "coefficients": ["nsig2", "n_flat"],
        },
        {"name": "sig2", "type": "gaussian_dist", "x": "z", "mean": 2.0, "sigma": "width"},
        {"name": "flat", "type": "uniform_dist", "x": ["z"]},
        {
            "name": "control",
            "type": "mixture_dist",
            "extended": True,
            "summands": ["template"],
            "coefficients": ["n_control"],
        },
        {
            "name": "template",
            "type": "histogram_dist",
            "data": {
                "axes": [{"name": "k", "edges": [0.0, 1.0, 3.0, 4.0]}],
                "contents": [5.0, 20.0, 3.0],
            },
        },
    ]
    document["functions"] += [
        {"name": "nsig2", "type": "product", "factors": ["mu", 20.0]},
        {"name": "n_control", "type": "product", "factors": ["nb", 0.1]},
    ]
    document["data"] += [
        {
            "name": "observed2",
            "type": "unbinned",
            "axes": [{"name": "z", "min": 1.0, "max": 3.0}],
            "entries": [[1.5], [2.01], [2.9]],
        },
        {
            "name": "counts",
            "type": "binned",
            "axes": [{"name": "k", "edges": [0.0, 1.0, 3.0, 4.0]}],
            "contents": [20.0, 70.0, 9.0],
        },
    ]
    likelihood = document["likelihoods"][0]
    likelihood["distributions"] += ["second", "control"]
    likelihood["data"] += ["observed2", "counts"]
    document["domains"][0]["axes"].append({"name": "n_flat", "min": 0.0, "max": 1000.0})
    document["parameter_points"][0]["parameters"].append({"name": "n_flat", "value": 80.0})
    return document


DOCUMENTS = {
    "bump": bump,
    "crystal ball": crystal_ball,
    "bernstein": bernstein,
    "plane": plane,
    "joint": joint,
}
