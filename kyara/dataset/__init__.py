"""Videos and reports in, versioned labelled faces out."""
