"""Likelihoods that other programs wrote, as HistFactory workspaces.

Use this when you have a datacard of CMS Combine (:mod:`~darkstats.conversion.datacard_reading`,
:mod:`~darkstats.conversion.datacard_building`), or HistFactory's XML with its ROOT files
(:mod:`~darkstats.conversion.histfactory_xml`). Use :mod:`darkstats.workspace` for what is
HistFactory JSON already.

What a workspace cannot state is refused with file, line and remedy; what it states in another way
is listed as a :class:`~darkstats.conversion.converted.Difference`, with its size.
"""
