"""Constraints of earlier experiments: a small catalogue, and readers for a user's own files.

Use :func:`~darkstats.report.constraints.catalogue.catalogue` for a few published values that come
with darkstats; use :func:`~darkstats.report.constraints.folder.read_folder` for whole curves in the
text formats of AxionLimits and DarkCast, or as CSV. Every curve carries its source, its confidence
level and its method; where a source does not state them, the curve says so.
"""
