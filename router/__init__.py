"""turnout: routes chat completions across LLM providers."""
