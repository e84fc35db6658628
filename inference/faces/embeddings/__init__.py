"""Embeddings, as OpenAI's API has them."""
