"""From judged answers to a decision: summaries, paired comparisons, verdicts in words, gates."""
