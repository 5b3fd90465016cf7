"""Core's own features, registered the way any plugin registers."""
