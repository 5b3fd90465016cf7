"""Families of bases that see, a module each: `read(folder, config)` gives the `modality.Family` of one base."""
