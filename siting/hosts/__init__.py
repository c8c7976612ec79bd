"""What carries a technology: host types, and layers made for them out of roofs, ponds, mudflats and strips."""
