"""Filaments: what the general model of volumes knows beside membranes, and the axes that run through them."""
