"""pytest fixtures over the simulator."""
