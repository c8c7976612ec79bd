"""The plan of a study: its basis, ways to connect, measures, the search, and the tables it leaves."""
