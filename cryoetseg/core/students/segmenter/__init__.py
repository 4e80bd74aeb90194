"""Semantic classes by DeepFinder's network: training, class maps, coordinates for each class."""
