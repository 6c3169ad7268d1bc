"""Exact quadrature: counting windows, and models of at most two nuisance parameters.

``recognition`` finds the counting window in a model, ``windows`` turns its nuisance parameters into
weighted nodes, ``window_posteriors`` and ``window_limits`` ask for thousands of outcomes at once
through ``window_kernel``, ``enumeration`` sums over outcomes; ``few_nuisances`` takes any bins.
"""
