"""Every change of a repair."""
