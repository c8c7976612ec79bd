"""The stages of a run as a graph, what each depends on, and those that stand at its two ends."""
