"""What delays New York's flights: a batch pipeline in checkpointed segments."""
