"""What people write: data sets in three formats, and the evaluation file with its schema for editors."""
