"""``fengguang hosting``: what every bus of a network still takes, without a study."""
