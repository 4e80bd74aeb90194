"""The recipe of the particle embedding: boxes of simulated molecules, metric learning, and how well unseen molecules are told apart."""
