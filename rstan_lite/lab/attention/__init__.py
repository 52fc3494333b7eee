"""What trained models look at in a clip."""
