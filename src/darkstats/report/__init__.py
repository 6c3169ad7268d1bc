"""Stage 9 of 9 · Results -> records, tables and figures.

Use :mod:`~darkstats.report.records` for JSON that a program reads, :mod:`~darkstats.report.tables`
for a terminal, :mod:`~darkstats.report.figures` for a paper. Nothing here computes a number that is
quoted.
"""
