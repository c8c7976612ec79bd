"""How candidates connect: feasible levels and stations by rule, routes of tie lines, the joint choice at least cost."""
