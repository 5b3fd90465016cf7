"""Recordings in documents: a kind of media, its section and source reader, and the bases that hear."""
