"""Reads of repairs, shaped for their screens."""
