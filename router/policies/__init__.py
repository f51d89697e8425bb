"""What happens between a plan and an attempt."""
