"""The storm: load, seeded faults, and a checker that shares no code with squad. See README.md."""
