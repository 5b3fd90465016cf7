"""A base, an engine and a trainer in plain Python: what a run does, without a network and without torch."""
