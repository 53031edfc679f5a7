"""What answers calls: from a name to a target, with all that stands around it, and how that stands."""
