"""Which land is eligible for what, who owns every square metre of it, and why a place is in or out."""
