"""Reads across models, shaped for one use."""
