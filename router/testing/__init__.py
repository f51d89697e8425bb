"""The provider simulator and pytest fixtures."""
