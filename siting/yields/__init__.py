"""Yields of all candidates: variants, checks, uncertainty, and the hourly store."""
