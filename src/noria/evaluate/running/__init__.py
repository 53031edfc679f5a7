"""Running an experiment: which calls are due, a bounded number at a time, each durable before it is judged."""
