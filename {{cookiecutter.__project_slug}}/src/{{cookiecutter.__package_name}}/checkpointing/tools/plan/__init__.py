"""`plan`: where a run would be cut, what it would hold, and what other cuts would cost."""
