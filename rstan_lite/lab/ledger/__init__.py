"""The paper's tables beside runs of one's own, and what these say of the paper's claims."""
