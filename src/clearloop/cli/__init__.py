"""The command line: one file per verb; the only room that wires rooms together."""
