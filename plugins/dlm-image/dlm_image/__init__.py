"""Pictures in DLM's documents: the section `::image::`, a kind of media, a source reader, and bases that see."""
