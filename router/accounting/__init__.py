"""What each attempt took and cost."""
