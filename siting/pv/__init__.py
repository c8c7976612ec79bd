"""PV from the sun's place in the sky to AC power."""
