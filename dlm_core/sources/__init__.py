"""Sources: the document's own sections and those read from the files it points at."""
