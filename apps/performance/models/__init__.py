"""Models of performance."""
