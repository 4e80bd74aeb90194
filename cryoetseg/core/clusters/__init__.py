"""What kinds of particles are in a list: an embedding of each pick, clusters of alike ones, their averages, and likeness to chosen ones."""
