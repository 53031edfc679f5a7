"""To and from other systems: their dialects become Noria's nouns, and Noria's nouns theirs."""
