"""The physical simulator."""
