"""Planning: what will happen, before it happens.  Nothing here imports torch."""
