"""Laplace's approximation, and what it leaves out by importance sampling.

``approximation`` is the engine; ``adaptive`` and ``ridges`` take posteriors that the Gaussian at
the mode does not fit, ``quick`` and ``reweighting`` the toys of an expected limit.
"""
