"""A first limit: read a workspace, compile it, compute the limit."""

from __future__ import annotations

import darkstats

workspace = darkstats.read_workspace("workspaces/examples/two_bins.json")
model = darkstats.compile_workspace(workspace)
limit = darkstats.upper_limit(model, model.observation, cl=0.95)

print(f"observed: {limit.poi} < {limit.observed:.3f} at {limit.cl:.0%} CL")
for n_sigma, value in zip((-2, -1, 0, 1, 2), limit.expected, strict=True):
    print(f"expected at {n_sigma:+d} sigma: {value:.3f}")
