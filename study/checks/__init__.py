"""What can be known of a study before it runs: faults of its inputs, and a forecast of time and memory."""
