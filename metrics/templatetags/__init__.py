"""Tags for pages of other rooms that show what the record knows."""
