"""The grid half of a study: its network, connections, year of hours, curtailment, short circuit and grades."""
