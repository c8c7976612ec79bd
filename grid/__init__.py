"""Can the electrical network take it: load flow, N-1, hosting capacity, connection, upgrades."""
