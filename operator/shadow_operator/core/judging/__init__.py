"""Gates, each a small function of one case; and the verdict that they add up to."""
