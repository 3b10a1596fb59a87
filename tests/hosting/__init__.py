"""Packages: kept, offered, and fetched over real HTTP."""
