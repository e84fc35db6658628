"""Messages and their token counts, as Anthropic's API has them."""
