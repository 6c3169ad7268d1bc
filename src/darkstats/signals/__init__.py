"""Stage 1 of 9 · masses, coupling -> cross section, width, branching ratio, lifetime."""
