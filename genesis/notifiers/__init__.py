"""How people are told: each module brings one `Notifier` of `genesis.interfaces`."""
