"""Readers of network formats, each into :class:`grid.model.contracts.BusBranch` with a list of losses."""
