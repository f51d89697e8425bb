"""What a user may say: settings, YAML loading and prices."""
