"""The study file: a closed, frozen schema that explains itself, a module for each of its subjects."""
