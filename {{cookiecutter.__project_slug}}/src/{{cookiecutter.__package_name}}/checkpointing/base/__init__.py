"""What every folder may use: errors, settings, durable files, names, units, interrupts."""
