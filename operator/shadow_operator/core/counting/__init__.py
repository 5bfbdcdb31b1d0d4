"""Counted differences: which are excused, which are noise, and which are a change."""
