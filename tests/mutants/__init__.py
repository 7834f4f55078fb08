"""Deliberate defects of squad, each of which the storm must see. See README.md."""
