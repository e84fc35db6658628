"""Commands of the record, one file each."""
