"""Criteria, value functions, weights, scores, how stable the ranking is, and whether it finds existing plants."""
