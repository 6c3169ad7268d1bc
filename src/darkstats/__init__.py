"""darkstats: certified limits for dark-sector searches."""
