"""Models of callbacks."""
