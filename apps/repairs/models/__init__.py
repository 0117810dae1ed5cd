"""Models of repairs."""
