"""Models that make vectors and scores of texts, many texts at a time."""
