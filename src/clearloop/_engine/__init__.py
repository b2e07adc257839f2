"""The native engine. Everything that runs per callback or per packet lives here; ARCHITECTURE.md has the map."""
