"""Adapting a model to a job: prompts now, knowledge and tuning to come."""
