"""Completions of bare texts, as OpenAI's older API has them."""
