"""The plan: which plants, which connection, which measures, in which year, at least cost, and proved by AC load flow.

Public names live in ``contracts`` (records and tables), ``hours`` (representative hours), ``solve`` (the plan),
``greedy`` (the plan beside it), ``staircase`` and ``explain`` (what the result says).
"""
