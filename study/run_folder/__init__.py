"""A run's folder: its tables and manifest, and what is made of it later: maps, reports, comparisons."""
