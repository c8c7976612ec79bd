"""The siting half of a study: its land, rules, sites, PV, wind, parks, scores and costs."""
