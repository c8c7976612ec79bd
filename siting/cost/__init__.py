"""Cost of energy and avoided CO2, item by item."""
