"""What a run gives out: lists in all formats, places, labels in two languages, layers and pictures of the map."""
