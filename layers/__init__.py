"""What is on the ground and in the sky, on one raster frame."""
