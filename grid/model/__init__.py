"""The bus-branch model that every network format is read into, and the arrays the solvers work on."""
