"""Chat completions, as OpenAI's API has them."""
