"""Responses, as OpenAI's API and Open Responses have them."""
