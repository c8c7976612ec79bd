"""Parts of the reference network builder; the public face is ``grid.reference_network``."""
