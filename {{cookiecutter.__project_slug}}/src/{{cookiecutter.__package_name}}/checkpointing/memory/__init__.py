"""Memory: how much is in use, the budget, the forecast of each part, and the plan of cuts."""
