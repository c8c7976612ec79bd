"""The network of a place from OpenStreetMap's lines and substations; what they lack follows named rules."""
