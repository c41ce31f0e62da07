"""Data: named sets that need no download, synthetic sets, splits and standardization."""
