"""From owned land to candidate sites: patches, cuts, outlines, names, and what is known of each site."""
