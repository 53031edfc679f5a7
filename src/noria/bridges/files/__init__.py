"""The record as files: exported, and imported again from here or from other systems' exports."""
