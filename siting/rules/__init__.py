"""Exclusions as data: rule packs, and how rules are read, compared and applied to layers."""
