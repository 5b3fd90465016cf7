"""GGUF export: merge, encode and write a trained adapter in one pass, then hold the file against the original."""
