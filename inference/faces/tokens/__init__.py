"""Of which tokens a prompt is made, as vLLM tells it."""
