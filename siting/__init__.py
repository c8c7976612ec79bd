"""Where wind and solar may stand, how much of it, and how well it yields."""
