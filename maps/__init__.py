"""What people look at. Reads contracts only."""
