"""``fengguang explain``: a site's whole story in words."""
