"""Writers of network formats from :class:`grid.model.contracts.BusBranch`."""
