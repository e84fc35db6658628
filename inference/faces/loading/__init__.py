"""Loading and unloading models by hand."""
