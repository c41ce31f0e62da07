"""Pictures from results, one figure a function; nothing here trains."""
