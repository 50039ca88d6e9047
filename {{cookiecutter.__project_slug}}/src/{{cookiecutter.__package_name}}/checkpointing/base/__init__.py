"""What everybody may use: errors, settings, durable files, names, units, interrupts."""
