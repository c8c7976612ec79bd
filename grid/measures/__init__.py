"""What may be built or agreed to lift a limit: the menu as data, the cost of each measure, its effect on the network.

Public names live in ``contracts`` (tables and records), ``menu`` (which measures an element or bus may get),
``apply`` (measures that change the network's tables) and ``effects`` (measures that change limits or injections).
"""
