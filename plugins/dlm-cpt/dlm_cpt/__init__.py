"""Continued pre-training: the prose of a document in a phase of its own, ahead of questions and answers."""
