"""What to do next, from what was read: preflight, the way up, the way down, upkeep."""
