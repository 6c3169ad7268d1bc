"""Scans over mass hypotheses: from a patch set to limits and local p-values at every mass."""
