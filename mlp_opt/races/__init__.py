"""Optimizers on surfaces: paths, fair comparisons, basins, heat maps. Arrays in, arrays out; nothing is drawn here."""
