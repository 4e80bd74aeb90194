"""General models: what all tomograms share, learned once on simulated tomograms of every kind."""
