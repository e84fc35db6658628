"""Ranking of documents, as Cohere's and Jina's APIs have it."""
