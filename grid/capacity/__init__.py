"""Hosting capacity of any transmission case: how much more a bus takes, what limits it, in which outage and hour."""
