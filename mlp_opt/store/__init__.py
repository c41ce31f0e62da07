"""The edge to the disk: atomic writes, run directories, model files."""
