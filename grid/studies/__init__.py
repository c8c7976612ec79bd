"""Studies of any bus-branch case: named cases, outages, series, short circuit, and what is written of them."""
