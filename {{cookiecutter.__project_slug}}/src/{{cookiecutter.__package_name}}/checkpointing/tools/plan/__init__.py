"""`plan`: where a run would be cut, its expected memory, and the cost of other cuts."""
