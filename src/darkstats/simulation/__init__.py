"""Stage 2 of 9 · process, detector -> simulated candidates."""
