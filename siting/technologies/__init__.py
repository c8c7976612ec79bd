"""Technologies, PV variants, turbines, losses and prices as tables with their sources, and what reads them."""
