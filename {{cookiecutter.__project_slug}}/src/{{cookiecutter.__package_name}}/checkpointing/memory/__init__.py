"""What is held, what may be held, and what would be held: measures, budget, forecast, plan."""
