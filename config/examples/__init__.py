"""Complete chains that run."""
