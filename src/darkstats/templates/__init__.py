"""Stage 3 of 9 · candidates -> histograms with their variations."""
