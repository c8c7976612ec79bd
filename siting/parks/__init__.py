"""Parks: hourly load against wind, sun and storage near them."""
