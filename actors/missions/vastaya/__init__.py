"""Missions between planets: what is decided in modules that do nothing else, and thin handlers around them."""
