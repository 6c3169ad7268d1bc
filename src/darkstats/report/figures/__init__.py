"""Figures for a paper: drawn from results, saved the same way every time.

matplotlib and mplhep are imported here and nowhere else, and only when a figure is asked for.
"""
