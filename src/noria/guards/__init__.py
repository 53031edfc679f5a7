"""Checks of calls while they are made. Each knows texts alone; deadlines and consequences are its rule's."""
