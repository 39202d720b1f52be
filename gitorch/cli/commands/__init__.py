"""The commands, one module per group; the command group imports a module when one of its commands is used."""
