"""Fine-tuning a stream's network before the recurrence is trained."""
