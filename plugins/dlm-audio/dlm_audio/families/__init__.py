"""Families of bases that hear, a module each: `read(folder, config)` gives the `modality.Family` of one base."""
