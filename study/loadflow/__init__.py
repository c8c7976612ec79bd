"""``fengguang loadflow``: load flow, outages, series and short circuits of a network, without a study."""
