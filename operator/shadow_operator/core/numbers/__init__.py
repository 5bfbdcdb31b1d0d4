"""Statistics that know no shadow: bounds, also such that hold at every look, histograms, series."""
