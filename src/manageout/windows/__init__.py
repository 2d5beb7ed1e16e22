"""Windows artefacts, rendered and read. Pure: no file, no socket; text and bytes in and out."""
