"""Commands of ``fengguang``, a module each, and progress on the command line."""
