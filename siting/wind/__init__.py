"""Wind power: wind at hub height, power curves, wakes, curtailment rules and the places of turbines."""
