"""A learned gate: how much of each named adapter answers is decided for each prompt."""
