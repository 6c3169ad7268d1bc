"""The no-U-turn sampler: the reference engine.

``sampler`` moves the chains, ``chains`` makes an answer of them, ``diagnostics`` says what they are
worth, ``straightened`` gives coordinates in which many events leave a flat sheet.
"""
