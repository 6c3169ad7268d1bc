"""Stage 4 of 9 · search card, templates -> background-only workspace and patch set."""
