"""Planted regressions and harmless variations, judged as a cluster's operator judges them."""
