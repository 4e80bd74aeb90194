"""What DUAL does together with other rooms: labels by simulation, and the comparison with other denoisers."""
