"""What helps people to see and judge a pipeline. Nothing below needs it; no tool knows another."""
