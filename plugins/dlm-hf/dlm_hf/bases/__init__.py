"""Base models: which ones are known by key, and where their files lie."""
