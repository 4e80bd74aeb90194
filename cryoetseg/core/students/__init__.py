"""Students: networks that learn membranes, particles and classes from labels of any origin."""
