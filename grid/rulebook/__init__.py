"""The rule book of hosting capacity: DL/T 2041 in two editions, the Henan rule, voltage and breaker margins.

Pure functions on tables; no network is solved here. See ``docs/dlt2041.md`` for the formulas, their sources and how
sure we are of them.
"""
