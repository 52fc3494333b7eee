"""Training and evaluation: joins clips' features and the model, and writes a run folder."""
